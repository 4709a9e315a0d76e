#!/usr/bin/python3
"""xferry and libpurple (Pidgin, Finch and others), as a matrix: each direction,
each way a file can take, over Prosody and ejabberd.

    purple.py [XFERRY] [--only WORDS] [--json FILE] [--rounds N] [--debug]

It runs in a network namespace of its own: libpurple tells every address of the
machine it runs on, and here it finds only one that nobody else can reach. Which
hosts are dead is decided by ports, see rig/netns.py; both programs have to find
out and to go on by themselves, by their defaults."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'rig'))

import ferry  # noqa: E402
import netns  # noqa: E402
from ejabberd import Ejabberd  # noqa: E402
from ferry import Desk, Program, Unexpected, receive, send, sha256  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import on_sigterm  # noqa: E402

SIZE = 200_000
SERVERS = {'prosody': Prosody, 'ejabberd': Ejabberd}
# libpurple tries a dead host for 15 s, and there are up to three.
PATIENCE_S = 90
REFUSING, SILENT = (['--ports', netns.words(ports)]
                    for ports in (netns.REFUSING, netns.SILENT))


def build(folder):
    """Compile the peer against the libpurple of this machine."""
    exe = folder / 'purple_peer'
    flags = subprocess.run(['pkg-config', '--cflags', '--libs', 'purple'],
                           capture_output=True, text=True, check=True).stdout
    subprocess.run([os.environ.get('CC', 'cc'), '-std=c11', '-D_GNU_SOURCE',
                    '-O1', '-g', '-Wall', '-Wextra', '-Werror', '-o', exe,
                    HERE / 'purple' / 'purple_peer.c', *flags.split()],
                   check=True)
    return exe


class Bench:
    """The peer's program, and what to tell it always."""

    def __init__(self, exe, debug):
        self.exe, self.folder = exe, exe.parent
        self.debug = ['--debug'] if debug else []

    def purple(self, server, account, command, *words):
        """The libpurple peer, online when this returns."""
        # libpurple compares the certificate with the host it connects to.
        program = Program(
            [self.exe, command, '--jid', account.full, '--server',
             f'{server.domain}:{server.port}', '--ca', server.ca, *words,
             *self.debug],
            # One that is killed leaves its folder there.
            {'PEER_PASSWORD': account.password, 'TMPDIR': str(self.folder)})
        try:
            program.wait('online')
        except BaseException:
            program.kill()
            raise
        return program

    def to_purple(self, server, desk, path, cell):
        sender, receiver = server.pair()
        with self.purple(server, receiver, 'receive', '--dir', desk.into,
                         *cell.purple) as taker, \
                send(server, sender, path, receiver.full, *cell.xferry) \
                as giver:
            return giver, taker, (stays if cell.within_s else ends)(giver,
                                                                    taker)

    def from_purple(self, server, desk, path, cell):
        sender, receiver = server.pair()
        with receive(server, receiver, desk.into, *cell.xferry) as taker, \
                self.purple(server, sender, 'send', '--to', receiver.full,
                            '--file', path, *cell.purple) as giver:
            return giver, taker, ends(giver, taker)


def ends(giver, taker):
    """Wait for both; who is left alone gets less time."""
    code = giver.code(PATIENCE_S)
    return [code, taker.code(PATIENCE_S if code == 0 else 20)]


def stays(giver, taker):
    """The taker remains online: only that it has the file is awaited."""
    code = giver.code(PATIENCE_S)
    taker.wait('done', 20)
    return [code, 0]


class Cell:
    """One square of the matrix.

    way     the rung that is to carry the file
    when    what makes it so
    xferry, purple  options that bring that about
    size    of the file
    within_s  xferry has to be done that soon after its offer, although
            libpurple stays online
    cannot  why the peer itself makes it impossible; then only the clean end
            of xferry is looked at
    """

    def __init__(self, to_purple, way, when, xferry=(), purple=(),
                 size=SIZE, within_s=None, cannot=None):
        self.to_purple, self.way, self.when = to_purple, way, when
        self.xferry, self.purple = list(xferry), list(purple)
        self.size, self.within_s, self.cannot = size, within_s, cannot
        if within_s:
            self.purple += ['--count', '2']

    def name(self, kind):
        return ' '.join(['to' if self.to_purple else 'from', self.way, kind,
                         self.when])

    def play(self, bench, server):
        """Returns its row of the matrix."""
        row = dict(peer='libpurple', transport=self.way, when=self.when,
                   direction='to' if self.to_purple else 'from',
                   server=server.kind)
        begun = time.monotonic()
        try:
            row.update(self._play(bench, server))
        except Exception as error:  # whatever it is, the others go on
            words = str(error) if isinstance(error, Unexpected) else \
                traceback.format_exc()
            row.update(result='failed', reason=words)
        row.setdefault('seconds', round(time.monotonic() - begun, 2))
        return row

    def _play(self, bench, server):
        with Desk() as desk:
            path = desk.file(self.size, 'Übung 1.bin')
            run = bench.to_purple if self.to_purple else bench.from_purple
            giver, taker, codes = run(server, desk, path, self)
            ours = giver if self.to_purple else taker
            self._check(desk, path, giver, taker, codes)
            return dict(result='impossible' if self.cannot else 'ok',
                        reason=self.cannot or '', **rungs(ours))

    def _check(self, desk, path, giver, taker, codes):
        story = f'{giver.story()}\n{taker.story()}'
        ours = giver if self.to_purple else taker
        if self.cannot:
            # It must end by itself and say so, with nothing left behind.
            if not ours.find('failed') or desk.received():
                raise Unexpected(f'it has become possible, or not cleanly '
                                 f'impossible: {desk.received()}\n{story}')
            return
        if codes != [0, 0]:
            raise Unexpected(f'exits {codes}\n{story}')
        if desk.received() != [path.name]:
            raise Unexpected(f'received {desk.received()}\n{story}')
        if sha256(desk.into / path.name) != sha256(path):
            raise Unexpected(f'another file\n{story}')
        if ours.find('done')['via'] != self.way:
            raise Unexpected(f'not by {self.way}\n{story}')
        took = rungs(ours)['seconds']
        if self.within_s and took > self.within_s:
            raise Unexpected(f'{took} s, not {self.within_s}\n{story}')


def rungs(ours):
    """What xferry says it tried, and how long it took."""
    tried = []
    for event in ours.events:
        if event.get('event') == 'attempt' and event['via'] not in tried:
            tried.append(event['via'])
    first, done = ours.find('offer'), ours.find('done')
    took = round(done['t'] - first['t'], 2) if first and done else None
    return {'rungs': tried, 'rung': done['via'] if done else None,
            **({'seconds': took} if took is not None else {})}


WORDS = {True: 'xferry → libpurple', False: 'libpurple → xferry'}
EARLY = (
    'libpurple sends and closes before the proxy is activated, and Prosody '
    'reads a closed connection although it is paused: what fits into its '
    'receive buffer is lost (pidgin 2.14, protocols/jabber/si.c, '
    'jabber_si_bytestreams_connect_cb: "TODO: We need to wait for an '
    'activation result before starting"; prosody 0.12, mod_proxy65.lua, '
    'conn:pause())')


def listen(ports):
    return ['--listen-port', netns.words(ports)]


def cells(kind):
    """What is played while the server's proxy is alive, when it refuses, and
    when it is silent."""
    to, by = True, False
    lost = EARLY if kind == 'prosody' else None
    alive = [
        Cell(to, 'direct', 'all hosts answer'),
        Cell(by, 'direct', 'all hosts answer'),
        Cell(to, 'direct', '5 MB', size=5_000_000),
        Cell(by, 'direct', '5 MB', size=5_000_000),
        Cell(to, 'proxy', 'our hosts refuse', listen(netns.REFUSING)),
        Cell(by, 'proxy', 'its hosts refuse', purple=REFUSING),
        Cell(by, 'ibb', 'its hosts refuse, a file that a proxy would lose',
             purple=REFUSING, size=5_000),
        Cell(by, 'proxy', 'nothing else chosen, 5 kB', ['--via', 'proxy'],
             size=5_000, cannot=lost),
        Cell(to, 'proxy', 'chosen by us', ['--via', 'proxy,ibb']),
        Cell(by, 'proxy', 'chosen by us', ['--via', 'proxy,ibb']),
        Cell(to, 'proxy', '5 MB', ['--via', 'proxy'], size=5_000_000),
        Cell(by, 'proxy', '5 MB', ['--via', 'proxy'], size=5_000_000),
        Cell(by, 'proxy', 'its hosts are silent', purple=SILENT),
        Cell(to, 'ibb', 'chosen by us', ['--via', 'ibb']),
        Cell(by, 'ibb', 'chosen by us', ['--via', 'ibb']),
        Cell(to, 'ibb', '2 MB', ['--via', 'ibb'], size=2_000_000),
        Cell(by, 'ibb', '2 MB', ['--via', 'ibb'], size=2_000_000),
        Cell(to, 'ibb', 'the contact stays online', ['--via', 'ibb'],
             within_s=2),
        Cell(to, 'ibb', 'an empty file', size=0),
    ]
    refusing = [
        Cell(to, 'ibb', 'all hosts refuse', listen(netns.REFUSING)),
        Cell(by, 'ibb', 'all hosts refuse', purple=REFUSING),
    ]
    silent = [
        Cell(to, 'ibb', 'all hosts are silent', listen(netns.SILENT)),
        Cell(by, 'ibb', 'all hosts are silent', purple=SILENT),
    ]
    return alive, refusing, silent


def tell(row):
    took = f'{row["seconds"]:6.2f} s'
    print(f'{row["result"]:10} {WORDS[row["direction"] == "to"]}  '
          f'{row["transport"]:6} '
          f'{row["server"]:8} {took}  {row["when"]}; tried '
          f'{", ".join(row.get("rungs", [])) or "?"}')
    if row['reason']:
        print('  ' + row['reason'].replace('\n', '\n  '))
    sys.stdout.flush()


def play(bench, server, some, only):
    """Two at once: many of them only wait."""
    chosen = [cell for cell in some
              if set(only) <= set(cell.name(server.kind).split())]
    rows = []
    with ThreadPoolExecutor(2) as pool:
        for row in pool.map(lambda cell: cell.play(bench, server), chosen):
            tell(row)
            rows.append(row)
    return rows


def over(bench, kind, only):
    """The whole matrix over one kind of server."""
    alive, refusing, silent = cells(kind)
    with SERVERS[kind]() as server:
        rows = play(bench, server, alive, only)
        netns.refuse(server.proxy_port)
        rows += play(bench, server, refusing, only)
        netns.silence(server.proxy_port)
        rows += play(bench, server, silent, only)
        server.failed = any(row['result'] == 'failed' for row in rows)
    return rows


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument('xferry', nargs='?', default='build/cli/xferry')
    parser.add_argument('--only', default='', help='words of cells, like '
                        '"ibb prosody", or "to" or "from" libpurple')
    parser.add_argument('--json', help='write the cells there, too')
    parser.add_argument('--rounds', type=int, default=1)
    parser.add_argument('--debug', action='store_true',
                        help='show what libpurple says of itself')
    return parser.parse_args()


def main():
    args = options()
    if not Path(args.xferry).exists():
        sys.exit(f'purple: there is no {args.xferry}; `make build` makes it')
    netns.enter()
    on_sigterm()
    ferry.use(args.xferry)
    only, rows = args.only.split(), []
    with tempfile.TemporaryDirectory(prefix='xferry-purple-') as folder:
        bench = Bench(build(Path(folder)), args.debug)
        for _ in range(args.rounds):
            for kind in [k for k in SERVERS if k in only] or SERVERS:
                rows += over(bench, kind, only)
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1) + '\n')
    count = {word: sum(row['result'] == word for row in rows)
             for word in ('ok', 'failed', 'impossible')}
    print(f'# {count["ok"]} ok, {count["failed"]} failed, '
          f'{count["impossible"]} impossible by the peer')
    return 1 if count['failed'] else 0


if __name__ == '__main__':
    sys.exit(main())
