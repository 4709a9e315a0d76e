"""Every transport, over a real server, to another xferry and to slixmpp, in
both directions.

    transports.py prosody|ejabberd [PART OF A NAME]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

from cases import Cases  # noqa: E402
from ejabberd import Ejabberd  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import on_sigterm  # noqa: E402
from transfers import from_slix, to_slix, transfer  # noqa: E402

SERVERS = {'prosody': Prosody, 'ejabberd': Ejabberd}

WAYS = [
    # name, transport, options
    ('direct', 'direct', []),
    ('proxy', 'proxy', []),
    ('in-band in iqs', 'ibb', ['--stanza', 'iq']),
    ('in-band in messages', 'ibb', ['--stanza', 'message']),
]

# name, transport, our options, slixmpp's options. It has no listener of its
# own, so that it sends by proxy and in-band only.
TO_SLIX = [
    ('direct', 'direct', ['--via', 'direct'], ['--via', 'proxy']),
    ('proxy', 'proxy', ['--via', 'proxy'], ['--via', 'proxy']),
    ('in-band in iqs', 'ibb', [], []),
    ('in-band in messages', 'ibb', ['--stanza', 'message'], []),
]
FROM_SLIX = [
    ('proxy', 'proxy', [], ['--via', 'proxy']),
    ('in-band in iqs', 'ibb', [], []),
    ('in-band in messages', 'ibb', [], ['--stanza', 'message']),
]


def both_ways(server, via, options):
    a, b = server.pair()
    for pair in ((a, b), (b, a)):
        transfer(server, 300_000, via, options, pair=pair)


def by_itself(server):
    giver, _ = transfer(server, bare=True)
    opened = giver.find('attempt', state='open')
    assert opened['via'] == 'direct', giver.story()


def main():
    server_kind = SERVERS[sys.argv[1]]
    over = f'over {server_kind.kind}'
    cases = Cases()
    on_sigterm()
    with server_kind() as server:
        cases.add(f'a contact\'s bare JID is enough {over}', by_itself,
                  server)
        for name, via, options in WAYS:
            cases.add(f'two xferrys both ways {over}: {name}', both_ways,
                      server, via, options)
        for name, via, ours, theirs in TO_SLIX:
            cases.add(f'xferry to slixmpp {over}: {name}', to_slix, server,
                      via, options=ours, slix_options=theirs)
        for name, via, ours, theirs in FROM_SLIX:
            cases.add(f'slixmpp to xferry {over}: {name}', from_slix, server,
                      via, options=ours, slix_options=theirs)
        server.failed = cases.run(only=(sys.argv[2:] or [None])[0]) > 0
        return 1 if server.failed else 0


if __name__ == '__main__':
    sys.exit(main())
