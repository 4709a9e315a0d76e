"""The server restarts in the middle of a transfer: both ends come back by
themselves, and the file arrives.

    restarts.py prosody|ejabberd [PART OF A NAME]
"""

import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

from cases import Cases  # noqa: E402
from ejabberd import Ejabberd  # noqa: E402
from ferry import Desk, Unexpected, receive, send  # noqa: E402
from prosody import Prosody  # noqa: E402
from relay import Relay  # noqa: E402
from server import free_port, on_sigterm  # noqa: E402
from transfers import check_arrived  # noqa: E402

SERVERS = {'prosody': Prosody, 'ejabberd': Ejabberd}
SANITIZED = os.environ.get('XFERRY_SANITIZED') == '1'
MIB = 1 << 20
# In-band they are a few seconds; directly the relay makes them that.
SIZE = {'ibb': (8 if SANITIZED else 32) * MIB, 'proxy': 64 * MIB,
        'direct': 32 * MIB}
PATIENCE_S = 120


def part(desk):
    """Bytes in the part."""
    sizes = [(desk.into / name).stat().st_size for name in desk.received()
             if name.endswith('.part')]
    return sizes[0] if sizes else 0


def restarted(kind, via, at):
    """At that hundredth of the file. One server for each: nobody else is to
    be there when it goes."""
    with ExitStack() as stack:
        server = stack.enter_context(kind(pairs=1, strangers=0))
        sender, receiver = server.pair()
        desk = stack.enter_context(Desk())
        path = desk.file(SIZE[via])
        words = ['--via', via]
        if via == 'direct':
            port = free_port()
            relay = stack.enter_context(
                Relay(('127.0.0.1', port), rate=8 * MIB))
            words += ['--address', relay.address, '--listen-port', str(port)]
        taker = stack.enter_context(receive(server, receiver, desk.into))
        giver = stack.enter_context(
            send(server, sender, path, receiver.full, *words))
        until = time.monotonic() + 60
        while part(desk) < at * SIZE[via] // 100:
            if giver.process.poll() is not None or time.monotonic() > until:
                raise Unexpected(giver.story())
            time.sleep(0.001)
        server.restart()
        giver.expect(0, PATIENCE_S)
        taker.expect(0, PATIENCE_S)
        check_arrived(desk, path, taker)
        for program in (giver, taker):
            assert program.find('done')['verified'], program.story()
        assert giver.find('done')['confirmed'], giver.story()
        if via == 'direct':
            opened = [e for e in giver.events
                      if e['event'] == 'attempt' and e['state'] == 'open']
            assert len(opened) == 1, giver.story()


def main():
    kind = SERVERS[sys.argv[1]]
    on_sigterm()
    cases = Cases()
    for via, at in (('ibb', 30), ('direct', 30), ('proxy', 30)):
        cases.add(f'{kind.kind} restarts in the middle, {via}: arrives',
                  restarted, kind, via, at)
    return 1 if cases.run(only=(sys.argv[2:] or [None])[0]) else 0


if __name__ == '__main__':
    sys.exit(main())
