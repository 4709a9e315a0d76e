"""While a file goes in-band, a chat keeps its turn: what is said meanwhile waits
for what the distance explains and a block, not for all that is under way.

    turns.py [PART OF A NAME]
"""

import statistics
import sys
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

from cases import Cases, only  # noqa: E402
from ejabberd import Ejabberd  # noqa: E402
from ferry import Desk, Unexpected, receive, send, slix  # noqa: E402
from prosody import Prosody  # noqa: E402
from relay import Behind, Relay  # noqa: E402
from server import on_sigterm  # noqa: E402
from transfers import check_arrived, check_way  # noqa: E402

RTT_S = 0.05
LINE = 1_000_000  # bytes a second: what waits, waits in front of it
STANZA = 65535 / 3 * 4 + 300
SIZE = 9_000_000
CLIMB_S = 3  # looked at behind that
# Of a loaded machine; all that may be under way between two xferrys would
# take 5 s.
SLACK_S = 0.25


def keeps_its_turn(server):
    """A third account pings the sender: the answer stands behind blocks."""
    sender, receiver = server.pair()
    with Desk() as desk, ExitStack() as stack:
        path = desk.file(SIZE)
        line = stack.enter_context(
            Relay(('127.0.0.1', server.port), rate=LINE, delay=RTT_S / 2))
        taker = stack.enter_context(receive(server, receiver, desk.into))
        # Asks from before, and is told that nobody is there yet.
        pinger = stack.enter_context(
            slix(server, server.strangers()[0], 'ping', '--to', sender.full))
        giver = stack.enter_context(
            send(Behind(server, line), sender, path, receiver.full, '--via',
                 'ibb'))
        giver.expect(0, 120)
        taker.expect(0)
        check_way(giver, 'ibb')
        check_arrived(desk, path, taker)
        check(giver, pinger)


def check(giver, pinger):
    opened = giver.find('attempt', via='ibb', state='open')['t']
    done = giver.find('done')['t']
    waits = [event['seconds'] for event in pinger.events
             if event['event'] == 'pong'
             and opened + CLIMB_S < event['t'] - event['seconds']
             and event['t'] < done]
    most = 2 * RTT_S + STANZA / LINE + SLACK_S
    if len(waits) < 3 or statistics.median(waits) > most:
        raise Unexpected(f'answers took {waits}, not {most:.2f} s\n'
                         f'{pinger.story()}\n{giver.story()}')
    # It is the line that is full, not a sender who holds back.
    rate = SIZE / (done - opened)
    if rate < LINE * 3 / 4 * .6:
        raise Unexpected(f'{rate:.0f} bytes/s\n{giver.story()}')
    print(f'# {len(waits)} answers, half of them within '
          f'{statistics.median(waits) * 1000:.0f} ms, '
          f'{rate / 1e6:.2f} MB/s', file=sys.stderr)


def main():
    on_sigterm()
    cases = Cases()
    with ExitStack() as stack:
        servers = [stack.enter_context(Prosody(pairs=1, strangers=1)),
                   stack.enter_context(Ejabberd(pairs=1, strangers=1))]
        for server in servers:
            cases.add(f'a chat keeps its turn over {server.kind}',
                      keeps_its_turn, server)
        failed = cases.run(1, only()) > 0
        for server in servers:
            server.failed = failed
        return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
