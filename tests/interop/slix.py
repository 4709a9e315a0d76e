#!/usr/bin/python3
"""xferry and slixmpp, as a matrix: each direction, each way a file can take,
over Prosody and ejabberd.

    slix.py [XFERRY] [--only WORDS] [--json FILE] [--rounds N]
"""

import argparse
import json
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'rig'))

import ferry  # noqa: E402
import netns  # noqa: E402
from blackhole import Blackhole  # noqa: E402
from ejabberd import Ejabberd  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import on_sigterm  # noqa: E402
from transfers import from_slix, to_slix  # noqa: E402

SERVERS = {'prosody': Prosody, 'ejabberd': Ejabberd}
NO_LISTENER = (
    'slixmpp listens for nobody: as initiator it tells the proxies it found '
    'and nothing else (slixmpp 1.8.3, plugins/xep_0065/proxy.py, line 64: '
    '"self._proxies = await self.discover_proxies()")')

# direction, transport, when, our options, slixmpp's options
CELLS = [
    ('to', 'direct', 'all hosts answer', ['--via', 'direct'],
     ['--via', 'proxy']),
    ('to', 'proxy', 'chosen by us', ['--via', 'proxy'], ['--via', 'proxy']),
    ('to', 'ibb', 'its own choice', [], []),
    ('to', 'ibb', 'in messages', ['--stanza', 'message'], []),
    ('to', 'ibb', 'our host is silent', ['--via', 'direct,ibb', '--address',
                                         'DEAD', '--timeout', '3'],
     ['--via', 'proxy']),
    ('from', 'direct', 'all hosts answer', None, None),
    ('from', 'proxy', 'chosen by it', [], ['--via', 'proxy']),
    ('from', 'ibb', 'its own choice', [], []),
    ('from', 'ibb', 'in messages', [], ['--stanza', 'message']),
]


def rungs(ours):
    tried = []
    for event in ours.events:
        if event.get('event') == 'attempt' and event['via'] not in tried:
            tried.append(event['via'])
    return {'rungs': tried, 'rung': ours.find('done')['via']}


def play(server, hole, direction, way, when, ours, theirs):
    row = dict(peer='slixmpp', direction=direction, transport=way, when=when,
               server=server.kind)
    if ours is None:
        return dict(row, result='impossible', reason=NO_LISTENER, seconds=0.0)
    ours = [hole.address if word == 'DEAD' else word for word in ours]
    run = to_slix if direction == 'to' else from_slix
    begun = time.monotonic()
    try:
        pair = run(server, way, options=ours, slix_options=theirs)
        row.update(result='ok', reason='', 
                   **rungs(pair[0 if direction == 'to' else 1]))
    except Exception as error:  # whatever it is, the others go on
        row.update(result='failed', reason=str(error))
    return dict(row, seconds=round(time.monotonic() - begun, 2))


def tell(row):
    print(f'{row["result"]:10} {row["direction"]:4} slixmpp  '
          f'{row["transport"]:6} {row["server"]:8} {row["seconds"]:6.2f} s  '
          f'{row["when"]}  {row["reason"]}', flush=True)


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument('xferry', nargs='?', default='build/cli/xferry')
    parser.add_argument('--only', default='', help='words of cells')
    parser.add_argument('--json', help='write the cells there, too')
    parser.add_argument('--rounds', type=int, default=1)
    return parser.parse_args()


def main():
    args = options()
    netns.enter()
    on_sigterm()
    ferry.use(args.xferry)
    rows, only = [], set(args.only.split())
    for kind in SERVERS:
        with SERVERS[kind]() as server, Blackhole() as hole:
            for _ in range(args.rounds):
                for cell in CELLS:
                    if only <= {cell[0], cell[1], kind}:
                        rows.append(play(server, hole, *cell))
                        tell(rows[-1])
            server.failed = any(row['result'] == 'failed' for row in rows)
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1) + '\n')
    return 1 if any(row['result'] == 'failed' for row in rows) else 0


if __name__ == '__main__':
    sys.exit(main())
