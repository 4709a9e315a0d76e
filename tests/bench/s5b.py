#!/usr/bin/python3
"""Bytestreams beside what the machine can do and beside other programs: one
large file, from memory to memory, by each in turn.

    s5b.py [XFERRY] [--mib N] [--rounds N] [--mtu N] [--only WORDS] [--out DIR]

In a network namespace of its own. Prints the rounds as they come; the table
and a picture go to DIR (doc/bench). Beside xferry: `plain`, see plain.c;
slixmpp, libpurple and scp where they are installed.
"""

import argparse
import datetime
import getpass
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / 'rig'), str(HERE.parent / 'interop')]

import ferry  # noqa: E402
import netns  # noqa: E402
import purple  # noqa: E402
import sheet  # noqa: E402
from ferry import PYTHON, Program, receive, send  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import die_with_parent, free_port, on_sigterm  # noqa: E402

MEMORY = '/dev/shm'
PATIENCE_S = 900
SSHD = '/usr/sbin/sshd'


class Missing(Exception):
    """This machine does not have the program."""


class Took:
    """One copy: seconds, and of each end CPU seconds and peak KiB."""

    def __init__(self, seconds, costs):
        self.seconds = seconds
        self.cpu = sum(cost['cpu'] for cost in costs)
        self.rss = [cost.get('rss_kib', 0) for cost in costs]


class Bench:
    """The folder in memory, the server, and who copies how."""

    def __init__(self, args, folder, server):
        self.args, self.folder, self.server = args, folder, server
        self.plain = folder / 'plain'
        subprocess.run([os.environ.get('CC', 'cc'), '-std=c11', '-O2',
                        '-D_GNU_SOURCE', '-Wall', '-Wextra', '-o', self.plain,
                        HERE / 'plain.c', '-lcrypto', '-lpthread'], check=True)
        self.path = folder / 'file'
        with open(self.path, 'wb') as file:
            for _ in range(args.mib):
                file.write(os.urandom(1 << 20))
        self.into = folder / 'into'
        self.into.mkdir()
        self.pairs = {}

    def pair(self, name):
        if name not in self.pairs:
            self.pairs[name] = self.server.pair()
        return self.pairs[name]

    def wrap(self, end):
        return [str(self.plain), 'cost', str(self.folder / f'cost-{end}')]

    def costs(self):
        return [json.loads((self.folder / f'cost-{end}').read_text())
                for end in ('tx', 'rx')]

    def check(self, path):
        """Looked at where nobody else looks, and by bytes; it is in memory."""
        done = subprocess.run(['cmp', '-s', self.path, path])
        assert done.returncode == 0, f'{path} is another file'
        os.remove(path)

    # --- who copies -----------------------------------------------------------

    def by_plain(self, *options):
        copy = self.into / 'copy'
        done = subprocess.run([self.plain, 'copy', *options, self.path, copy],
                              capture_output=True, text=True, check=True)
        told = json.loads(done.stdout)
        self.check(copy)
        return Took(told['seconds'], [{'cpu': told['sender_cpu']},
                                      {'cpu': told['receiver_cpu']}])

    def by_xferry(self, *options):
        """From the first byte on its way to the file under its name."""
        sender, receiver = self.pair('xferry')
        with receive(self.server, receiver, self.into,
                     wrap=self.wrap('rx')) as taker, \
                send(self.server, sender, self.path, receiver.full, *options,
                     wrap=self.wrap('tx')) as giver:
            giver.expect(0, PATIENCE_S)
            taker.expect(0, PATIENCE_S)
            begun = giver.find('attempt', state='open')['t']
            seconds = taker.find('done')['t'] - begun
        self.check(self.into / self.path.name)
        return Took(seconds, self.costs())

    def by_slixmpp(self):
        """By the server's proxy: it knows no other bytestream."""
        sender, receiver = self.pair('slixmpp')

        def peer(account, end, *words):
            program = Program(
                [PYTHON, HERE.parent / 'rig' / 'slix_peer.py', words[0],
                 '--jid', account.full, '--password', account.password,
                 '--server', self.server.address, '--ca', self.server.ca,
                 '--via', 'proxy', '--no-hash', *words[1:]], wrap=self.wrap(end))
            program.wait('online')
            return program

        with peer(receiver, 'rx', 'receive', '--dir', self.into) as taker, \
                peer(sender, 'tx', 'send', '--to', receiver.full, '--file',
                     self.path) as giver:
            giver.expect(0, PATIENCE_S)
            taker.expect(0, PATIENCE_S)
            seconds = taker.find('done')['t'] - giver.find('accepted')['t']
        self.check(self.into / 'received')
        return Took(seconds, self.costs())

    def by_libpurple(self):
        if not hasattr(self, 'peer'):
            try:
                self.peer = purple.build(self.folder)
            except (subprocess.CalledProcessError, OSError):
                raise Missing('libpurple') from None
        sender, receiver = self.pair('libpurple')

        def peer(account, end, *words):
            program = Program(
                [self.peer, words[0], '--jid', account.full, '--server',
                 f'{self.server.domain}:{self.server.port}', '--ca',
                 self.server.ca, '--no-hash', *words[1:]],
                {'PEER_PASSWORD': account.password,
                 'TMPDIR': str(self.folder)}, wrap=self.wrap(end))
            program.wait('online')
            return program

        with peer(receiver, 'rx', 'receive', '--dir', self.into) as taker, \
                peer(sender, 'tx', 'send', '--to', receiver.full, '--file',
                     self.path) as giver:
            giver.expect(0, PATIENCE_S)
            taker.expect(0, PATIENCE_S)
            seconds = taker.find('done')['ms'] / 1000
        self.check(Path(taker.find('done')['path']))
        return Took(seconds, self.costs())

    def by_scp(self):
        """Over an sshd of our own; its CPU is in the numbers."""
        if not shutil.which('scp') or not Path(SSHD).exists():
            raise Missing('scp and sshd')
        with Sshd(self.folder, self.wrap('rx')) as door:
            begun = time.monotonic()
            subprocess.run([*self.wrap('tx'), 'scp', '-q', *door.options(),
                            self.path, f'{getpass.getuser()}@127.0.0.1:'
                            f'{self.into}/copy'], check=True)
            seconds = time.monotonic() - begun
        self.check(self.into / 'copy')
        return Took(seconds, self.costs())


class Sshd:
    """For one connection, with keys that live as long."""

    def __init__(self, folder, wrap):
        self.folder, self.wrap, self.port = folder, wrap, free_port()
        for name in ('host', 'user'):
            if not (folder / name).exists():
                subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '',
                                '-f', folder / name], check=True)

    def options(self):
        return ['-P', str(self.port), '-i', self.folder / 'user',
                '-o', 'StrictHostKeyChecking=no',
                '-o', 'UserKnownHostsFile=/dev/null',
                '-o', 'LogLevel=ERROR', '-F', '/dev/null']

    def __enter__(self):
        os.makedirs('/run/sshd', exist_ok=True)
        # -d: one connection, one process, then the end.
        self.process = subprocess.Popen(
            [*self.wrap, SSHD, '-d', '-e', '-f', '/dev/null', '-p',
             str(self.port), '-h', self.folder / 'host', '-o',
             f'AuthorizedKeysFile={self.folder}/user.pub', '-o',
             'StrictModes=no', '-o', 'UsePAM=no', '-o', 'PidFile=none', '-o',
             'Subsystem=sftp internal-sftp'], stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent)
        time.sleep(1)
        return self

    def __exit__(self, *_):
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait()


# name, how, beside whom it is a ratio, hash
SUBJECTS = [
    ('plain C, no hash', Bench.by_plain, [], None),
    ('xferry direct, no hash', Bench.by_xferry,
     ['--via', 'direct', '--hash', 'none'], 'plain C, no hash'),
    ('plain C, SHA-256', Bench.by_plain, ['--hash'], None),
    ('xferry direct, SHA-256', Bench.by_xferry, ['--via', 'direct'],
     'plain C, SHA-256'),
    ('xferry by proxy, no hash', Bench.by_xferry,
     ['--via', 'proxy', '--hash', 'none'], 'plain C, no hash'),
    ('slixmpp by proxy', Bench.by_slixmpp, [], 'plain C, no hash'),
    ('libpurple direct', Bench.by_libpurple, [], 'plain C, no hash'),
    ('scp', Bench.by_scp, [], 'plain C, no hash'),
]

PAGE = '''\
# Bytestreams

`make bench` wrote this on {date}, on {machine}, with {versions};
the load average was {load:.1f} when it began.

One file of {mib} MiB from memory to memory (tmpfs), both ends on that machine,
in a network namespace whose loopback has an MTU of {mtu}; all in turn, median of
{rounds} rounds, and in brackets the least and the most. CPU seconds are those of
both ends per GiB, logging in included; proxy and server are not counted. A ratio
is the median of the ratios of each round.

*Plain C* is `tests/bench/plain.c`: sendfile out, recv and write in, the hash in
a second thread at both ends. It logs in nowhere, negotiates nothing, syncs
nothing and looks for no space. For xferry the clock runs from the stream that
is open to the file under its name; for the others from the acceptance to the
file. slixmpp sends by a proxy only, and reads the file into memory first.

{table}
{missing}![the same as bars](s5b.svg)
'''


def measure(bench, rounds, only):
    """All in turn, so that what else the machine does hits all alike."""
    had, missing = {}, {}
    for number in range(1, rounds + 1):
        for name, how, options, _ in SUBJECTS:
            if name in missing or (only and not any(o in name for o in only)):
                continue
            try:
                took = how(bench, *options)
            except Missing as lack:
                missing[name] = str(lack)
                print(f'{name}: there is no {lack} here', flush=True)
                continue
            had.setdefault(name, []).append(took)
            print(f'round {number}: {name:26} '
                  f'{bench.args.mib * 1.048576 / took.seconds:7.1f} MB/s, '
                  f'CPU {took.cpu:6.2f} s, RSS {took.rss} KiB', flush=True)
    return had, missing


def ratio(had, name, beside):
    if not beside or beside not in had:
        return ''
    pairs = [b.seconds / a.seconds for a, b in zip(had[name], had[beside])]
    return f'{statistics.median(pairs):.2f}'


def report(args, load, had, missing):
    gib = args.mib / 1024
    rows, drawn = [], []
    for name, _, _, beside in SUBJECTS:
        if name not in had:
            continue
        rates = sorted(args.mib * 1.048576 / took.seconds
                       for took in had[name])
        middle = statistics.median(rates)
        cpu = statistics.median(took.cpu for took in had[name]) / gib
        rss = max(max(took.rss) for took in had[name]) // 1024
        rows.append([name, f'{middle:.0f} ({rates[0]:.0f}–{rates[-1]:.0f})',
                     ratio(had, name, beside), f'{cpu:.2f}',
                     str(rss) if rss else ''])
        drawn.append((name, middle, rates[0], rates[-1], 'xferry' in name))
    table = sheet.table(['', 'MB/s', 'ratio to plain C', 'CPU s/GiB',
                         'peak RSS, MiB'], rows)
    lacks = ''.join(f'Not installed here: {lack}, for "{name}".\n\n'
                    for name, lack in missing.items())
    page = PAGE.format(
        date=datetime.date.today(), machine=sheet.machine(),
        versions=sheet.versions('libuv1', 'libssl3', 'prosody',
                                'python3-slixmpp', 'libpurple0',
                                'openssh-client'),
        load=load, mib=args.mib, mtu=args.mtu, rounds=args.rounds, table=table,
        missing=lacks)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / 's5b.md').write_text(page)
    (args.out / 's5b.svg').write_text(sheet.bars(
        f'{args.mib} MiB over a bytestream, median (line: least to most)',
        'MB/s', drawn))
    print(table)


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument('xferry', nargs='?', default='build/cli/xferry')
    parser.add_argument('--mib', type=int, default=1024)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--mtu', type=int, default=1500)
    parser.add_argument('--only', default='', help='words; names with one of '
                        'them are played')
    parser.add_argument('--out', type=Path,
                        default=HERE.parent.parent / 'doc' / 'bench')
    return parser.parse_args()


def main():
    args, load = options(), os.getloadavg()[0]
    if not Path(args.xferry).exists():
        sys.exit(f'bench: there is no {args.xferry}; `make build` makes it')
    netns.enter(args.mtu)
    on_sigterm()
    ferry.use(args.xferry)
    with tempfile.TemporaryDirectory(prefix='xferry-bench-',
                                     dir=MEMORY) as folder, \
            Prosody(pairs=4) as server:
        bench = Bench(args, Path(folder), server)
        report(args, load, *measure(bench, args.rounds, args.only.split()))
    return 0


if __name__ == '__main__':
    sys.exit(main())
