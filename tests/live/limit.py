"""`--limit` holds, sending and receiving, for all files together.

    limit.py [PART OF A NAME]
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

from cases import Cases, only  # noqa: E402
from ferry import Desk, Unexpected, receive, same, send  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import on_sigterm  # noqa: E402

RATE = 200 * 1024
SIZE = 3 * RATE  # three seconds of it
NOISE_S = 0.2    # between what happens and when we hear of it

cases = Cases()


def held(begun, size):
    """Too slow is the machine's business; too fast is ours."""
    took = time.monotonic() - begun
    if took < size / RATE * 0.95 - NOISE_S:
        raise Unexpected(f'{size} bytes in {took:.2f} s')


def slow(server, via, sending, receiving):
    sender, receiver = server.pair()
    limit = ['--limit', '200k']
    with Desk() as desk:
        path = desk.file(SIZE)
        with receive(server, receiver, desk.into,
                     *(limit if receiving else [])) as taker, \
                send(server, sender, path, receiver.full, '--via', via,
                     *(limit if sending else [])) as giver:
            begun = taker.wait('attempt', state='open')['t']
            giver.expect(0)
            taker.expect(0)
            held(begun, SIZE)
            same(path, desk.into / path.name)


def several(server, via):
    """They share it: as the last ends soon behind the first, all had some."""
    sender, receiver = server.pair()
    with Desk() as desk:
        paths = [desk.file(SIZE // 4, f'{i}.bin') for i in range(4)]
        with receive(server, receiver, desk.into, '--count', '4') as taker, \
                send(server, sender, paths[0], receiver.full, *paths[1:],
                     '--via', via, '--limit', '200k') as giver:
            begun = taker.wait('attempt', state='open')['t']
            giver.expect(0)
            taker.expect(0)
            held(begun, SIZE)
            first = taker.find('done')['t']
            if first - begun < SIZE / RATE / 2:
                raise Unexpected(f'the first ended at {first - begun:.2f} s')
            for path in paths:
                same(path, desk.into / path.name)


def stalled(server):
    """Who is held is not taken for one that hangs, at either end."""
    sender, receiver = server.pair()
    with Desk() as desk:
        path = desk.file(8_000_000)  # more than the kernel takes at once
        with receive(server, receiver, desk.into, '--limit', '400k',
                     '--stall', '6') as taker, \
                send(server, sender, path, receiver.full, '--via', 'direct',
                     '--stall', '6') as giver:
            giver.expect(0)
            taker.expect(0)
            same(path, desk.into / path.name)
            if giver.find('attempt', state='failed'):
                raise Unexpected(giver.story())


def main():
    on_sigterm()
    with Prosody() as server:
        for via in ('direct', 'proxy', 'ibb'):
            cases.add(f'a sender holds its rate, {via}', slow, server, via,
                      True, False)
        for via in ('direct', 'proxy'):
            cases.add(f'a receiver holds its rate, {via}', slow, server, via,
                      False, True)
        for via in ('direct', 'ibb'):
            cases.add(f'several files share the rate, {via}', several, server,
                      via)
        cases.add('who is held does not stall', stalled, server)
        server.failed = cases.run(only=only()) > 0
        return 1 if server.failed else 0


if __name__ == '__main__':
    sys.exit(main())
