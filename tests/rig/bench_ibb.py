#!/usr/bin/python3
"""How fast in-band streams are beside slixmpp's: 64 MiB between two xferrys
and between two slixmpps in turn, over the same ejabberd with TLS, in a
network namespace whose loopback has the MTU of an Ethernet.

    bench_ibb.py [XFERRY] [--mib N] [--rounds N]

Blocks of 65535 bytes on both sides; slixmpp's receive limit is raised to take
them. Prints the median of each and the ratio.
"""

import argparse
import statistics
import sys
from pathlib import Path

import ferry
import netns
from ejabberd import Ejabberd
from ferry import Desk, receive, same, send, slix
from server import on_sigterm

BLOCK = 65535


def by_xferry(server, pair, desk, path):
    sender, receiver = pair
    with receive(server, receiver, desk.into, '--exists', 'overwrite') \
            as taker, \
            send(server, sender, path, receiver.full, '--via', 'ibb',
                 '--block-size', str(BLOCK)) as giver:
        giver.expect(0, 600)
        taker.expect(0)
        same(path, desk.into / path.name)
        return seconds(giver, taker)


def by_slixmpp(server, pair, desk, path):
    sender, receiver = pair
    with slix(server, receiver, 'receive', '--dir', desk.into, '--max-block',
              str(BLOCK)) as taker, \
            slix(server, sender, 'send', '--to', receiver.full, '--file',
                 path, '--block', str(BLOCK), ready=False) as giver:
        giver.expect(0, 600)
        taker.expect(0)
        assert taker.find('done')['sha256'] == ferry.sha256(path)
        return seconds(giver, taker)


def seconds(giver, taker):
    """From the acceptance to the whole file, alike for both."""
    return taker.find('done')['t'] - giver.find('accepted')['t']


def measure(args):
    rates = {by_xferry: [], by_slixmpp: []}
    size = args.mib << 20
    with Ejabberd(pairs=2) as server, Desk() as desk:
        path = desk.file(size)
        pairs = {which: server.pair() for which in rates}
        for number in range(1, args.rounds + 1):
            for which, had in rates.items():
                took = which(server, pairs[which], desk, path)
                had.append(size / took / 1e6)
            print(f'round {number}: ' + ', '.join(
                f'{which.__name__[3:]} {had[-1]:.1f} MB/s'
                for which, had in rates.items()), flush=True)
    ours, theirs = (statistics.median(had) for had in rates.values())
    print(f'in-band, {args.mib} MiB in blocks of {BLOCK} bytes, ejabberd '
          f'with TLS, MTU 1500, median of {args.rounds}:')
    print(f'  xferry  {ours:8.1f} MB/s')
    print(f'  slixmpp {theirs:8.1f} MB/s')
    print(f'  ratio   {ours / theirs:8.1f}')


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument('xferry', nargs='?', default='build/cli/xferry')
    parser.add_argument('--mib', type=int, default=64)
    parser.add_argument('--rounds', type=int, default=5)
    return parser.parse_args()


def main():
    args = options()
    if not Path(args.xferry).exists():
        sys.exit(f'bench: there is no {args.xferry}; `make build` makes it')
    netns.enter(1500)
    ferry.use(args.xferry)
    on_sigterm()
    measure(args)
    return 0


if __name__ == '__main__':
    sys.exit(main())
