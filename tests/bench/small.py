#!/usr/bin/python3
"""Small files: how long 597 bytes take from the command to the receipt, near
and far from the server, and how many round trips that is; and 100 of them by
one command. In a network namespace whose loopback has the MTU of an Ethernet.

    small.py [XFERRY] [--rounds N] [--page]

A round trip here is from a client to its server and back; a relay (delay.c)
makes it, for both ends. What passes between the two clients costs two.
"""

import argparse
import datetime
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'rig'))
sys.path.insert(0, str(HERE))

import ferry  # noqa: E402
import netns  # noqa: E402
import sheet  # noqa: E402
from ejabberd import Ejabberd  # noqa: E402
from ferry import Desk, receive, run  # noqa: E402
from inband import compile_tools, relay  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import on_sigterm  # noqa: E402

PAGE = HERE.parent.parent / 'doc/bench/small.md'
SERVERS = {'Prosody': Prosody, 'ejabberd': Ejabberd}
SIZE = 597
FILES = 100
FAR_MS = 100
# What the protocols make one wait for, in round trips to the server, each from
# a question whose answer the next one needs (RFC 6120, XEP-0095, 0065).
LOGIN = (
    ('TCP', 1), ('stream, its features', 1), ('STARTTLS', 1), ('TLS 1.3', 1),
    ('stream, its features', 1), ('SCRAM', 2), ('stream, its features', 1),
    ('bind', 1))
TRANSFER = (
    ("presence, and the contact's", 1), ('offer and yes', 2),
    ('streamhosts, and the one that is used', 2),
    ('the bytes, beside the server', 0), ('end and receipt', 2))
FLOOR = sum(trips for _, trips in LOGIN + TRANSFER)


def one(at, server, count):
    """Seconds from the command to the receipt, and from the bind on."""
    sender, receiver = server.pair()
    with Desk() as desk:
        paths = []
        for i in range(count):
            path = desk.out / f'{i}.bin'
            path.write_bytes(os.urandom(SIZE))
            paths.append(path)
        with receive(at, receiver, desk.into, '--count',
                     str(count)) as taker:
            taker.wait('online')
            begun = time.monotonic()
            with run(at, sender, 'send', *paths, receiver.bare) as giver:
                giver.expect(0)
                taker.expect(0)
                done = max(event['t'] for event in giver.events
                           if event['event'] == 'done')
                online = giver.find('online')['t']
                confirmed = all(event['confirmed'] for event in giver.events
                                if event['event'] == 'done')
                assert confirmed, giver.story()
    return done - begun, done - online


def measure(args, tools):
    rows = []
    for name, kind in SERVERS.items():
        with kind(pairs=12, strangers=0) as server, ExitStack() as stack:
            places = {0: server,
                      FAR_MS: relay(tools, server, 2 * FAR_MS, stack)}
            for count in (1, FILES):
                took = {rtt: [] for rtt in places}
                for _ in range(args.rounds):
                    for rtt, at in places.items():
                        took[rtt].append(one(at, server, count))
                near, far = ([statistics.median(each[k] for each in took[rtt])
                              for k in (0, 1)] for rtt in places)
                trips = [(b - a) * 1000 / FAR_MS for a, b in zip(near, far)]
                rows.append((name, count, near[0], far[0], trips[0],
                             trips[1]))
                print(f'{name}: {count} x {SIZE} bytes: {near[0]:.3f} s near, '
                      f'{far[0]:.3f} s far: {trips[0]:.1f} round trips, '
                      f'{trips[1]:.1f} of them after the login', flush=True)
    return rows


def page(rows, rounds):
    table = sheet.table(
        ['', 'RTT 0, s', f'RTT {FAR_MS} ms, s', 'round trips',
         'of them behind the login', f'beside the {FLOOR} below'],
        [[f'{count} × {SIZE} bytes over {name}', f'{near:.3f}', f'{far:.3f}',
          f'{all_:.1f}', f'{behind:.1f}', f'{all_ / FLOOR:.2f}']
         for name, count, near, far, all_, behind in rows])
    floor = sheet.table(
        ['one waits for', 'round trips'],
        [[what, str(trips)] for what, trips in LOGIN + TRANSFER] +
        [['altogether', str(FLOOR)]])
    PAGE.write_text(f'''\
# Small files

`make bench` wrote this on {datetime.date.today()}, on {sheet.machine()}, with
{sheet.versions('prosody', 'ejabberd', 'libssl3')};
the load average was {os.getloadavg()[0]:.1f} when it ended.

`xferry send` of files of {SIZE} bytes to a contact whose receiver is there, from
the start of the program to the last receipt: connect, log in, look for the
contact, offer, and so on; median of {rounds}, in turns. Both ends are as far from their
server as is said, and next to each other. The number of round trips is what
the distance adds, divided by it.

{table}
What the protocols make one wait for, when nothing is known of the contact
beforehand and all that can be said together is; what goes from client to
client takes two round trips to the server:

{floor}''', encoding='utf-8')


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument('xferry', nargs='?', default='build/cli/xferry')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--page', action='store_true',
                        help='write doc/bench/small.md')
    return parser.parse_args()


def main():
    args = options()
    if not Path(args.xferry).exists():
        sys.exit(f'bench: there is no {args.xferry}; `make build` makes it')
    netns.enter(1500)
    ferry.use(args.xferry)
    on_sigterm()
    with tempfile.TemporaryDirectory(prefix='xferry-bench-') as folder:
        compile_tools(Path(folder))
        rows = measure(args, Path(folder))
    if args.page:
        page(rows, args.rounds)
    return 0


if __name__ == '__main__':
    sys.exit(main())
