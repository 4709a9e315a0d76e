"""Every file arrives: of any size, of any name, whole or not at all; and what
stands there already is treated as asked.

    files.py [PART OF A NAME]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

from cases import Cases, only  # noqa: E402
from ferry import Desk, Unexpected, receive, same, send  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import on_sigterm  # noqa: E402
from transfers import transfer  # noqa: E402

SIZES = [0, 1, 597, 65535, 65536, 1_000_003]
NAMES = [
    ('with spaces and umlauts', 'Über den Fluß – an example.txt'),
    ('of 255 bytes', 'n' * 251 + '.bin'),
    ('that begins with a dash', '-rf'),
    ('with quotes and markup', '<a href="x">&amp; \'b\'.txt'),
]

cases = Cases()


def sized(server, size, via):
    transfer(server, size, via)


def named(server, name):
    transfer(server, name=name, via='direct')
    transfer(server, name=name, via='ibb')


def existing(server, how):
    """Both files, as they are after a second of that name was sent."""
    sender, receiver = server.pair()
    with Desk() as desk:
        path = desk.file()
        there = desk.into / path.name
        there.write_bytes(b'what was there before')
        with receive(server, receiver, desk.into, '--exists', how) as taker, \
                send(server, sender, path, receiver.full) as giver:
            HOW[how](desk, path, there, giver, taker)


def renamed(desk, path, there, giver, taker):
    giver.expect(0)
    taker.expect(0)
    assert desk.received() == ['report (1).bin', 'report.bin'], \
        desk.received()
    assert there.read_bytes() == b'what was there before'
    same(path, desk.into / 'report (1).bin')


def refused(desk, path, there, giver, taker):
    giver.expect(20)
    failed = taker.wait('failed')
    assert failed['code'] == 'E-EXISTS', taker.story()
    assert desk.received() == ['report.bin'], desk.received()
    assert there.read_bytes() == b'what was there before'


def overwritten(desk, path, there, giver, taker):
    giver.expect(0)
    taker.expect(0)
    assert desk.received() == ['report.bin'], desk.received()
    same(path, there)


HOW = {'rename': renamed, 'refuse': refused, 'overwrite': overwritten}


def several(server):
    sender, receiver = server.pair()
    with Desk() as desk:
        paths = [desk.file(size, f'{size}.bin') for size in (10, 0, 99_999)]
        with receive(server, receiver, desk.into, '--count', '3') as taker, \
                send(server, sender, paths[0], receiver.full, *paths[1:]) \
                as giver:
            giver.expect(0)
            taker.expect(0)
            for path in paths:
                same(path, desk.into / path.name)
            if len(desk.received()) != 3:
                raise Unexpected(str(desk.received()))


def main():
    on_sigterm()
    with Prosody() as server:
        for size in SIZES:
            for via in ('direct', 'proxy', 'ibb'):
                cases.add(f'a file of {size} bytes arrives, {via}', sized,
                          server, size, via)
        for words, name in NAMES:
            cases.add(f'a file with a name {words} arrives', named, server,
                      name)
        for how in HOW:
            cases.add(f'a name that is taken: {how}', existing, server, how)
        cases.add('several files in one go arrive', several, server)
        server.failed = cases.run(only=only()) > 0
        return 1 if server.failed else 0


if __name__ == '__main__':
    sys.exit(main())
