#!/usr/bin/python3
"""In-band beside its ceiling: what a raw pair of clients gets through a server
in its best cell of block and window, and what two xferrys get, in turn, in a
network namespace whose loopback has the MTU of an Ethernet.

    inband.py [XFERRY] [--servers prosody,ejabberd] [--rtt 0,50,200]
              [--tls any,none] [--seconds S] [--rounds N] [--sweep full|short]
              [--page]

The round trip is from a block to its acknowledgement; a relay (delay.c) makes
it, a quarter on each of the four ways. Prints a table, and writes it to
doc/bench/inband.md if asked.
"""

import argparse
import datetime
import os
import socket
import statistics
import subprocess
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
from ferry import Desk, receive, same, send  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import PASSWORD, die_with_parent, free_port, \
    on_sigterm  # noqa: E402

SERVERS = {'prosody': Prosody, 'ejabberd': Ejabberd}
BLOCKS = (4096, 8192, 16384, 32768, 65535)
WINDOWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SHORT = [(4096, 1), (4096, 16), (4096, 64), (4096, 256), (16384, 4),
         (16384, 16), (16384, 64), (65535, 1), (65535, 2), (65535, 4),
         (65535, 16), (65535, 64), (65535, 256)]
PAGE = HERE.parent.parent / 'doc/bench/inband.md'
HEAD = ['server', 'TLS', 'RTT', 'best cell', 'raw MB/s', 'xferry MB/s', 'ratio',
        'first 5 s', 'sender: CPU s/GiB, MiB', 'receiver']
WORDS = '''\
# In-band

`make bench` wrote this on {date}, on {machine}, with
{versions};
the load average was {load:.1f} when it began.

The ceiling is the server's: a pair of raw clients (`tests/bench/ibb_raw.c`) that
sends the same block again and again and keeps so many under way, in the best
cell (block × window) of a sweep of {sweep:g} s each. Then that cell and two
xferrys, in turn, {rounds} rounds of {seconds} s (or {mib} MiB, whatever is less); medians. The
raw pair may have 16 MiB under way and lets nobody else have a turn; xferry has
what two round trips bring, so that a chat on the same connection does not wait,
and writes, hashes and syncs a file. The round trip is from a block to its
acknowledgement.

{table}'''


class Away:
    """A server as seen through a relay."""

    def __init__(self, server, port):
        self._server, self.port = server, port
        self.address = f'127.0.0.1:{port}'

    def __getattr__(self, name):
        return getattr(self._server, name)


def compile_tools(folder):
    for name, libraries in (('delay', []), ('ibb_raw', ['-lssl', '-lcrypto'])):
        subprocess.run(['cc', '-O2', HERE / f'{name}.c', '-o', folder / name,
                        *libraries], check=True)


def relay(tools, server, rtt_ms, stack):
    port = free_port()
    process = subprocess.Popen(
        [tools / 'delay', str(port), str(server.port), str(rtt_ms * 250)],
        preexec_fn=die_with_parent)
    stack.callback(process.wait)
    stack.callback(process.kill)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(('127.0.0.1', port)) == 0:
                return Away(server, port)
        time.sleep(0.1)
    raise RuntimeError('the relay does not get ready')


def raw(tools, server, pair, cells, ms):
    """MB/s by cell."""
    words = [f'{block}x{window}' for block, window in cells]
    said = subprocess.run(
        [tools / 'ibb_raw', str(server.port), server.domain, pair[0].user,
         pair[1].user, PASSWORD, 'tls' if server.tls else 'plain', str(ms),
         *words], capture_output=True, text=True)
    if said.returncode:
        raise RuntimeError(said.stderr)
    rates = {}
    for line in said.stdout.splitlines():
        block, window, rate = line.split()
        rates[int(block), int(window)] = float(rate)
    return rates


def cpu_s(pid):
    fields = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


class Used:
    """CPU and memory of a program, asked for while it lives."""

    def __init__(self):
        self.cpu = self.rss = 0

    def look(self, program):
        try:
            self.cpu = max(self.cpu, cpu_s(program.pid))
            self.rss = max(self.rss, ferry.peak_rss_kib(program.pid))
        except (OSError, IndexError, ValueError):
            pass


def by_xferry(server, pair, desk, path, options):
    sender, receiver = pair
    size = path.stat().st_size
    used = Used(), Used()
    with receive(server, receiver, desk.into, '--exists', 'overwrite') \
            as taker, \
            send(server, sender, path, receiver.full, '--via', 'ibb',
                 *options) as giver:
        programs = (giver, taker)
        while any(one.process.poll() is None for one in programs):
            for one, of in zip(programs, used):
                of.look(one)
            time.sleep(0.05)
        giver.expect(0, 900)
        taker.expect(0)
        same(path, desk.into / path.name)
        begun = giver.find('accepted')['t']
        took = taker.find('done')['t'] - begun
        early = [event for event in giver.events
                 if event['event'] == 'progress' and event['t'] - begun <= 5]
        first = early[-1] if early else None
        early_rate = first['bytes'] / (first['t'] - begun) / 1e6 \
            if first and first['t'] > begun else 0
    return size / took / 1e6, early_rate, size, used


def file_for(desk, rate, seconds, mib):
    size = int(rate * 1e6 * seconds)
    size = min(max(size, 1 << 20), mib << 20)
    path = desk.out / 'bench.bin'
    with open(path, 'wb') as file:
        for at in range(0, size, 1 << 20):
            file.write(os.urandom(min(1 << 20, size - at)))
    return path


def measure(args, tools):
    cells = SHORT if args.sweep == 'short' else \
        [(block, window) for block in BLOCKS for window in WINDOWS]
    rows = []
    for name in args.servers.split(','):
        for tls in args.tls.split(','):
            with SERVERS[name](tls=None if tls == 'none' else tls, pairs=4,
                               strangers=0) as server:
                for rtt in args.rtt.split(','):
                    with ExitStack() as stack:
                        desk = stack.enter_context(Desk())
                        at = relay(tools, server, int(rtt), stack) \
                            if int(rtt) else server
                        row = one(args, tools, name, at, server, int(rtt),
                                  cells, desk)
                    if row:
                        rows.append(row)
                        print(' | '.join(row), flush=True)
    return sheet.table(HEAD, rows)


def one(args, tools, name, at, server, rtt, cells, desk):
    pairs = server.all_pairs
    if args.cell:
        cells = [tuple(map(int, args.cell.split('x')))]
    rates = raw(tools, at, pairs[0], cells, args.sweep_ms + 4 * rtt)
    best = max(rates, key=rates.get)
    if args.verbose:
        for cell, rate in sorted(rates.items()):
            print(f'# {name} {rtt} ms {cell[0]:5} x {cell[1]:3} '
                  f'{rate:8.3f}', file=sys.stderr, flush=True)
    if args.rounds == 0:
        return None
    path = file_for(desk, rates[best], args.seconds, args.mib)
    theirs, ours, early, used = [], [], [], []
    for _ in range(args.rounds):
        theirs.append(raw(tools, at, pairs[0], [best],
                          args.seconds * 1000)[best])
        rate, first, size, of = by_xferry(at, pairs[1], desk, path,
                                          args.options.split())
        ours.append(rate)
        early.append(first)
        used.append([(u.cpu / size * (1 << 30), u.rss / 1024) for u in of])
    a, b = statistics.median(theirs), statistics.median(ours)
    ends = [f'{statistics.median(u[i][0] for u in used):.1f}, '
            f'{max(u[i][1] for u in used):.0f}' for i in (0, 1)]
    return [name, server.tls or 'no', f'{rtt} ms', f'{best[0]} × {best[1]}',
            f'{a:.2f}', f'{b:.2f}', f'{b / a:.2f}',
            f'{statistics.median(early):.2f}', *ends]


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument('xferry', nargs='?', default='build/cli/xferry')
    parser.add_argument('--servers', default='prosody,ejabberd')
    parser.add_argument('--rtt', default='0,50,200')
    parser.add_argument('--tls', default='any,none')
    parser.add_argument('--seconds', type=int, default=30)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--mib', type=int, default=2048)
    parser.add_argument('--sweep', default='full')
    parser.add_argument('--sweep-ms', type=int, default=2000)
    parser.add_argument('--cell', help='BLOCKxWINDOW instead of a sweep')
    parser.add_argument('--options', default='', help='for xferry send')
    parser.add_argument('--verbose', action='store_true')
    parser.add_argument('--page', action='store_true',
                        help='write doc/bench/inband.md')
    return parser.parse_args()


def main():
    args = options()
    if not Path(args.xferry).exists():
        sys.exit(f'bench: there is no {args.xferry}; `make build` makes it')
    load = os.getloadavg()[0]
    netns.enter(1500)
    ferry.use(args.xferry)
    on_sigterm()
    with tempfile.TemporaryDirectory(prefix='xferry-bench-') as folder:
        compile_tools(Path(folder))
        table = measure(args, Path(folder))
    print(table)
    if args.page:
        PAGE.write_text(WORDS.format(
            date=datetime.date.today(), machine=sheet.machine(),
            versions=sheet.versions('prosody', 'ejabberd', 'libssl3',
                                    'libexpat1'),
            load=load, rounds=args.rounds, seconds=args.seconds,
            sweep=args.sweep_ms / 1000, mib=args.mib, table=table))
    return 0


if __name__ == '__main__':
    sys.exit(main())
