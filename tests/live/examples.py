"""The programs of examples/ transfer real files to and from xferry, over a
session of their own and over libstrophe's connection.

    examples.py [PART OF A NAME]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

import ferry  # noqa: E402
from cases import Cases, Skip, only  # noqa: E402
from ferry import Desk, Program, receive, same, send  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import on_sigterm  # noqa: E402
from transfers import PATIENCE_S, check_arrived, check_way  # noqa: E402

AUTH = 10
SIZE = 300_000


def example(name, server, account, *words, password=None):
    """One of the programs, which are built beside xferry's own folder."""
    exe = Path(ferry.exe()).resolve().parent.parent / 'examples' / name
    if not exe.exists():
        raise Skip(f'examples/{name} is not built here')
    return Program([exe, account.full, *words],
                   {'XFERRY_PASSWORD': password or account.password,
                    'XFERRY_SERVER': server.address,
                    'XFERRY_CA': str(server.ca)})


def from_example(server, name, verb, via, size):
    sender, receiver = server.pair()
    with Desk() as desk:
        path = desk.file(size)
        with receive(server, receiver, desk.into, '--via', via) as taker, \
                example(name, server, sender, *verb, path,
                        receiver.full) as giver:
            giver.expect(0, PATIENCE_S)
            taker.expect(0, PATIENCE_S)
            check_way(taker, via)
            check_arrived(desk, path, taker)


def to_strophe(server, via, size, options=()):
    sender, receiver = server.pair()
    with Desk() as desk:
        path = desk.file(size)
        with example('strophe', server, receiver, 'receive',
                     desk.into) as taker:
            # It speaks plain words, which the rig hands on as they are.
            taker.wait('not JSON', line=f'online as {receiver.full}\n')
            with send(server, sender, path, receiver.full, '--via', via,
                      *options) as giver:
                giver.expect(0, PATIENCE_S)
                taker.expect(0, PATIENCE_S)
                check_way(giver, via)
                assert desk.received() == [path.name], desk.received()
                same(path, desk.into / path.name)


def wrong_password(server):
    sender, receiver = server.pair()
    with Desk() as desk:
        with example('send', server, sender, desk.file(1), receiver.full,
                     password='wrong') as giver:
            giver.expect(AUTH)


def nobody_there(server, name, verb):
    """No receiver is online: an end, and no success."""
    sender, receiver = server.pair()
    with Desk() as desk:
        with example(name, server, sender, *verb, desk.file(1),
                     receiver.full) as giver:
            assert giver.code() not in (0, None), giver.story()
            assert giver.code() > 0, giver.story()


def main():
    cases = Cases()
    on_sigterm()
    with Prosody() as server:
        for name, verb in (('send', []), ('strophe', ['send'])):
            for via in ('direct', 'proxy', 'ibb'):
                cases.add(f'{name}.c sends to xferry: {via}', from_example,
                          server, name, verb, via, SIZE)
            cases.add(f'{name}.c sends an empty file', from_example, server,
                      name, verb, 'direct', 0)
            cases.add(f'{name}.c ends when nobody is there', nobody_there,
                      server, name, verb)
        for via in ('direct', 'proxy', 'ibb'):
            cases.add(f'xferry sends to strophe.c: {via}', to_strophe, server,
                      via, SIZE)
        cases.add('xferry sends to strophe.c: ibb in messages', to_strophe,
                  server, 'ibb', SIZE, ['--stanza', 'message'])
        cases.add('send.c says what a refused login is', wrong_password,
                  server)
        server.failed = cases.run(only=only()) > 0
        return 1 if server.failed else 0


if __name__ == '__main__':
    sys.exit(main())
