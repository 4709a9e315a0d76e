#!/usr/bin/python3
"""xferry-proxy beside Prosody's and ejabberd's own proxies and beside a relay
that does nothing but splice, which is the limit; one after the other in each
round, and the medians of the rounds.

    proxy.py [PROXY] [--rounds N] [--quick] [--into FOLDER]

Writes FOLDER/proxy.md and FOLDER/proxy.svg (doc/bench). XFERRY_LOAD names the
generator of load, if it is not build/tests/bench/load.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'rig'), str(HERE.parent / 'live')]

import report  # noqa: E402
from ejabberd import Ejabberd  # noqa: E402
from load import Load, Target, bare, children, memory, moved  # noqa: E402
from prosody import Prosody  # noqa: E402
from proxy_many import NOBODY, LIMIT, through_many  # noqa: E402
from server import COMPONENT_SECRET, free_port, on_sigterm  # noqa: E402
from xproxy import Proxy  # noqa: E402

STREAMS = (1, 8, 64, 1000)
IDLE = (1, 1000, 10000)
# MiB altogether: about as many seconds for each, and enough of them.
AMOUNT = {'bare': 8192, 'ours': 8192, 'ejabberd': 1024, 'Prosody': 96}
CHECK = 8  # each 8th read is compared; the others are only counted
PAIR_RATE, PAIR_SECONDS = 200, 5


def ours(stack, server, jid):
    """xferry-proxy as a component of `server`, of an ordinary user."""
    return stack.enter_context(Proxy(
        server.component_address, jid=jid, secret=COMPONENT_SECRET,
        user=NOBODY, limit=LIMIT, log_level='info', pairs_per_jid=0))


def targets(stack):
    ejabberd = stack.enter_context(
        Ejabberd(tls=None, pairs=12, components=('xproxy',)))
    prosody = stack.enter_context(
        Prosody(tls=None, pairs=12, components=('xproxy',)))
    one = ours(stack, ejabberd, 'xproxy.localhost')
    other = ours(stack, prosody, 'xproxy.localhost')
    port, cores = free_port(), os.cpu_count()
    least = bare(stack, port, 'bare', str(cores))

    def of(process):
        return lambda: children(process.pid)

    return {
        'bare': Target('bare', port, of(least), ports=cores),
        'ours': Target('ours', one.port, of(one.process), server=ejabberd,
                       component=one.jid),
        'ejabberd': Target('ejabberd', ejabberd.proxy_port,
                           of(ejabberd.process), server=ejabberd,
                           component=ejabberd.proxy),
        'Prosody': Target('Prosody', prosody.proxy_port, of(prosody.process),
                          server=prosody, component=prosody.proxy),
        'ours, Prosody': Target('ours, Prosody', other.port,
                                of(other.process), server=prosody,
                                component=other.jid),
    }


def say(words):
    print(words, flush=True)


def measure_moving(all_targets, args):
    """{(who, streams): [(bytes a second, CPU s a GiB), ...]}"""
    had = {}
    for number in range(1, args.rounds + 1):
        for streams in args.streams:
            for who, amount in AMOUNT.items():
                mib = max(amount * args.part / streams, 0.05)
                rate, cpu = moved(all_targets[who], streams, mib,
                                  check=CHECK)
                had.setdefault((who, streams), []).append((rate, cpu))
                say(f'round {number}: {streams} streams, {who}: '
                    f'{rate / 1e6:.0f} MB/s, {cpu:.2f} CPU s/GiB')
    return had


def measure_pairing(all_targets, args):
    """{who: [(p50, p99), ...]} in milliseconds."""
    had = {}
    for number in range(1, args.rounds + 1):
        for who in ('ours', 'ejabberd', 'ours, Prosody', 'Prosody'):
            with Load(all_targets[who], 'pair', 1, rate=PAIR_RATE,
                      seconds=PAIR_SECONDS * args.part) as load:
                load.go()
                one = load.results()[0]
            if one['done'] != one['pairs']:
                say(f'{who}: {one}')
            had.setdefault(who, []).append((one['p50'], one['p99']))
            say(f'round {number}: pairing, {who}: p50 {one["p50"]:.1f} ms, '
                f'p99 {one["p99"]:.1f} ms')
    return had


def idle_pairs(target, pairs):
    """Bytes a pair; None: it did not hold so many."""
    # Their one process has two descriptors a pair, as ours has two processes
    # for.
    if target.name != 'ours' and 2 * pairs + 200 > LIMIT:
        return None
    with Load(target, 'idle', 1, 1) as load:  # what the first one costs
        load.go()
        load.results()
    time.sleep(1)
    before = memory(target.pids())
    with Load(target, 'idle', 2, pairs) as load:
        time.sleep(1)
        each = (memory(target.pids()) - before) / pairs
        return max(each, 0) if load.ready == pairs else None


def measure_memory(args):
    """{(who, pairs): bytes a pair}, each of programs just started: what was
    had before is not given back."""
    had = {}
    for pairs in args.idle:
        with ExitStack() as stack:
            all_targets = targets(stack)
            for who in ('ours', 'ejabberd', 'Prosody'):
                had[who, pairs] = idle_pairs(all_targets[who], pairs)
                say(f'{pairs} idle pairs, {who}: {had[who, pairs]} bytes a '
                    'pair')
    return had


def version(*command):
    words = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                           stderr=subprocess.STDOUT, check=False).stdout
    return words.strip().splitlines()[0] if words.strip() else '?'


def package(name):
    return version('dpkg-query', '-W', '-f', '${Version}', name)


def about(args):
    model = next((line.split(':')[1].strip()
                  for line in Path('/proc/cpuinfo').read_text().splitlines()
                  if line.startswith('model name')), 'unknown')
    kilobytes = int(Path('/proc/meminfo').read_text().split()[1])
    return {
        'date': time.strftime('%Y-%m-%d', time.gmtime()),
        'machine': f'{os.cpu_count()} cores ({model}), '
                   f'{kilobytes >> 20} GiB, Linux {os.uname().release}',
        'versions': f'{version(args.proxy, "--version")}, Prosody '
                    f'{package("prosody")}, ejabberd {package("ejabberd")}',
        'rounds': args.rounds, 'amount': {who: int(mib * args.part)
                                          for who, mib in AMOUNT.items()},
        'check': CHECK, 'pair_rate': PAIR_RATE,
        'pair_seconds': PAIR_SECONDS * args.part, 'limit': LIMIT,
    }


def medians(had):
    return {key: tuple(statistics.median(column) for column in zip(*rows))
            for key, rows in had.items()}


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument('proxy', nargs='?',
                        default='build/proxyd/xferry-proxy')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--quick', action='store_true',
                        help='little of each, to see that it works')
    parser.add_argument('--into', type=Path, default='doc/bench')
    args = parser.parse_args()
    args.part = 0.1 if args.quick else 1
    args.streams = (1, 8) if args.quick else STREAMS
    args.idle = (1, 100) if args.quick else IDLE
    args.many = 200 if args.quick else 10000
    return args


def main():
    args = options()
    on_sigterm()
    os.environ['XFERRY_PROXY'] = args.proxy
    with ExitStack() as stack:
        all_targets = targets(stack)
        moving = medians(measure_moving(all_targets, args))
        pairing = medians(measure_pairing(all_targets, args))
    idle = measure_memory(args)
    with ExitStack() as stack:
        many = through_many(args.many, 1, targets(stack)['ours'])
    say(f'{args.many} pairs at once: {many}')
    report.write(args.into, about(args), args.streams, args.idle, moving,
                 pairing, idle, many)
    for name in ('proxy.md', 'proxy.svg'):
        say(f'wrote {args.into / name}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
