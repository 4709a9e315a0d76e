#!/usr/bin/python3
"""xferry beside Smack, which Spark stands on: three generations of it, both
directions, each transport, two servers.

    smack.py [XFERRY] [--build DIR] [--only WORDS] [--json FILE] [--rounds N]

Everything runs in a network namespace of its own: Smack tells the addresses
of the machine, and none of them is to get a packet. It never tells loopback
addresses, so the servers are at the private one of that namespace. Prints a
line for each cell and fails if one that Smack makes possible is not ok.
"""

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'rig'))

import ferry  # noqa: E402
import netns  # noqa: E402
from ejabberd import Ejabberd  # noqa: E402
from ferry import Desk, Program, Unexpected, receive, send  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import on_sigterm  # noqa: E402
from transfers import check_arrived, check_way  # noqa: E402

HOST = netns.IPV4
DEAD = '10.9.0.66'  # of the same network: nobody answers, nobody refuses
SIZE = 60_000
PATIENCE_S = 90

# Maven profile and class of each generation.
PEERS = {'smack-3.1': ('smack31', 'Smack3'),
         'smack-3.2': ('smack32', 'Smack3'),
         'smack-4.4': ('smack44', 'Smack44')}
RUNGS = {'direct': 'direct', 'proxy': 'proxy', 'fallback': 'ibb',
         'ibb': 'ibb'}
WHEN = {'direct': 'all hosts answer', 'proxy': 'no own address is told',
        'fallback': 'the own host and the proxy are silent',
        'ibb': 'nothing else is offered'}
DIRECTIONS = ('to', 'from')

# Cells that the peer's own code makes impossible, and where one reads it.
IMPOSSIBLE = {
    ('smack-4.4', 'from', 'fallback'):
        'after a failed SOCKS5 stream Smack 4.4 gives the transfer up: '
        'one method is chosen, and nothing follows it '
        '(igniterealtime/Smack 4.4.8, smack-extensions/.../filetransfer/'
        'FileTransferNegotiator.java, line 358: '
        '"if (isByteStream) { return byteStreamTransferManager; }")',
}


# --- building the peers ----------------------------------------------------

def build(folder):
    """Fetch each Smack once and compile what is newer than its classes."""
    for profile, name in PEERS.values():
        lib, classes = folder / profile / 'lib', folder / profile / 'classes'
        if not list(lib.glob('*.jar')):
            call('mvn', '-q', '-B', '-f', HERE / 'smack' / 'pom.xml',
                 f'-P{profile}', 'dependency:copy-dependencies',
                 f'-DoutputDirectory={lib}')
        sources = [HERE / 'smack' / f'{one}.java' for one in ('Tell', name)]
        made = classes / f'{name}.class'
        if not made.exists() or made.stat().st_mtime < max(
                source.stat().st_mtime for source in sources):
            call('javac', '-Xlint:all,-path,-deprecation', '-Werror', '-d',
                 classes, '-cp', f'{lib}/*', *sources)


def call(*command):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f'smack: {command[0]} failed:\n{done.stdout}')


# --- who takes part --------------------------------------------------------

class Elsewhere:
    """A server of the rig at the private address. The address its proxy
    tells may be one that does not answer."""

    told = HOST  # where its proxy says it is

    def configure(self):
        super().configure()
        for name in ('prosody.cfg.lua', 'ejabberd.yml'):
            path = self.folder / name
            if path.exists():
                text = path.read_text().replace('127.0.0.1', HOST)
                path.write_text(re.sub(
                    r'((?:proxy65_address =|hostname:) )"[^"]*"',
                    rf'\1"{self.told}"', text))

    @property
    def address(self):
        return f'{HOST}:{self.port}'

    def listening(self):
        for port in (self.port, self.proxy_port):
            with socket.socket() as probe:
                if probe.connect_ex((HOST, port)):
                    return False
        return True


class LiveProsody(Elsewhere, Prosody):
    pass


class DeadProsody(LiveProsody):
    told = DEAD


class LiveEjabberd(Elsewhere, Ejabberd):
    pass


class DeadEjabberd(LiveEjabberd):
    told = DEAD


SERVERS = {'prosody': (LiveProsody, DeadProsody),
           'ejabberd': (LiveEjabberd, DeadEjabberd)}


class Peers:
    """Starts Smacks."""

    def __init__(self, folder):
        self.folder = folder

    def start(self, peer, server, account, command, *words):
        profile, name = PEERS[peer]
        home = self.folder / profile
        program = Program(
            ['java', '-Xshare:auto', '-XX:TieredStopAtLevel=1',
             '-Djava.net.preferIPv4Stack=true', '-cp',
             f'{home}/classes:{home}/lib/*', name, command, '--jid',
             account.full, '--password', account.password, '--host', HOST,
             '--port', server.port, '--ca', server.ca, '--hostname',
             socket.gethostname(), *words])
        try:
            program.wait('online')
        except BaseException:
            program.kill()
            raise
        return program


# --- what happens in a cell ------------------------------------------------

# All Smacks want this port for their own streamhost.
_port_7777 = threading.Lock()

# What our side is told, toward Smack; the rest it finds out by itself.
OURS = {'direct': [], 'proxy': ['--via', 'proxy'],
        'fallback': ['--address', f'{DEAD}:9'], 'ibb': ['--via', 'ibb']}
THEIRS = {'direct': ['--local', HOST], 'proxy': ['--local', HOST,
                                                 '--no-local'],
          'fallback': ['--local', DEAD], 'ibb': ['--local', HOST,
                                                 '--ibb-only']}


def to_smack(peers, peer, server, rung):
    sender, receiver = server.pair()
    with Desk() as desk:
        path = desk.file(SIZE)
        # Smack 3.1 listens only when it sends.
        quiet = [] if peer == 'smack-3.1' else ['--no-local']
        with peers.start(peer, server, receiver, 'receive', '--dir',
                         desk.into, '--local', HOST, *quiet) as taker, \
                send(server, sender, path, receiver.full, '--trace',
                     *OURS[rung]) as giver:
            both(giver, taker, lambda: (
                ended(giver), taker.wait('done', 10), ended(taker),
                check_rung(giver, rung), whole(desk, path),
                check_story(peer, 'to', rung, taker)))
            return giver


def from_smack(peers, peer, server, rung):
    sender, receiver = server.pair()
    with Desk() as desk:
        path = desk.file(SIZE)
        with receive(server, receiver, desk.into, '--trace') as taker, \
                _port_7777, \
                peers.start(peer, server, sender, 'send', '--to',
                            receiver.full, '--file', path,
                            *THEIRS[rung]) as giver:
            both(taker, giver, lambda: (
                ended(taker), ended(giver),
                check_rung(taker, rung),
                check_arrived(desk, path, taker),
                check_story(peer, 'from', rung, giver)))
            return taker


def left_alone(peers, peer, server, rung):
    """The peer gives up by itself; we end with one error, and nothing is
    left behind."""
    sender, receiver = server.pair()
    with Desk() as desk:
        with receive(server, receiver, desk.into, '--trace') as taker, \
                _port_7777, \
                peers.start(peer, server, sender, 'send', '--to',
                            receiver.full, '--file', desk.file(SIZE),
                            *THEIRS[rung]) as giver:
            both(taker, giver, lambda: (
                giver.expect(1, PATIENCE_S),
                taker.wait('failed', PATIENCE_S), taker.kill()))
            if left := desk.received():
                raise Unexpected(f'left behind: {left}\n{taker.story()}')
            return taker


def both(ours, theirs, run):
    """Whatever went wrong, both sides tell."""
    try:
        run()
    except Unexpected as why:
        raise Unexpected(f'{why}\n--- xferry\n{ours.story()}\n--- smack\n'
                         f'{theirs.story()}') from None


def check_rung(program, rung):
    """It went that way, and a fallback after all else."""
    check_way(program, RUNGS[rung])
    tried = {event['via'] for event in program.events
             if event['event'] == 'attempt' and event['state'] == 'failed'}
    if rung == 'fallback' and tried != {'direct', 'proxy'}:
        raise Unexpected(f'only {tried} was tried before')


def ended(program):
    program.expect(0, PATIENCE_S)


def whole(desk, path):
    """Smack writes under the umask; only the content is of interest."""
    if ferry.sha256(path) != ferry.sha256(desk.into / path.name):
        raise Unexpected('another file')


# --- the conversation, as Smack itself tells it ----------------------------

# SOCKS5 first, then in-band on the same sid, the blocks in messages.
FOUNDING = ['si set', 'si result', 'bytestreams set', 'open set',
            'open result', 'data message', 'close set', 'close result']
AGAIN = ['si set', 'si result', 'bytestreams set', 'bytestreams error',
         'si set', 'si result', 'open set', 'open result', 'data set',
         'close set']
REFUSED = 'bytestreams error'


def steps(program):
    """What was said, in order, each thing once in a row."""
    said = []
    for event in program.events:
        what = event.get('what')
        if event['event'] == 'stanza' and what != 'data result' and \
                said[-1:] != [what] and not is_proxy(event):
            said.append(what)
    return said


def is_proxy(event):
    """Words with the server's proxy."""
    return event['what'] in ('bytestreams get',) or \
        'proxy.localhost' in event['xml'].split('>')[0]


def heard(program, what):
    return [event['xml'] for event in program.events
            if event['event'] == 'stanza' and event['what'] == what]


def in_order(wanted, said):
    """All of `wanted` was said in that order, as far as Smack shows it: a
    reply and the next request are shown by two threads."""
    def is_so(kind):
        rest = iter(said)
        return all(one in rest for one in wanted if kind(one))

    return is_so(is_reply) and is_so(lambda one: not is_reply(one))


def is_reply(what):
    return what.split()[1] in ('result', 'error')


def sids(program):
    """The ids of the streams, whatever opens them."""
    xml = ' '.join(event['xml'] for event in program.events
                   if event['event'] == 'stanza')
    return set(re.findall(r' sid=["\']([^"\']*)', xml)) | set(
        re.findall(r'<si [^>]*? id=["\']([^"\']*)', xml))


def check_story(peer, direction, rung, program):
    said = steps(program)
    if rung != 'fallback':
        return
    if peer == 'smack-4.4':
        second = heard(program, 'si set')[1:]
        ok = in_order(AGAIN, said) and len(second) == 1 and \
            'bytestreams' not in second[0] and len(sids(program)) == 2
    else:
        # Before 3.3 they cannot be told apart, and both take messages.
        wanted = FOUNDING if direction == 'to' or peer == 'smack-3.1' else [
            'data set' if one == 'data message' else one
            for one in FOUNDING]
        answer = heard(program, 'si result')
        ok = in_order(wanted, said) and len(answer) == 1 and \
            (REFUSED in said or direction == 'to') and \
            re.search(r'bytestreams</value>\s*<value>[^<]*/ibb</value>',
                      answer[0]) and len(sids(program)) == 1
    if not ok:
        raise Unexpected(f'another conversation: {said}, {sids(program)}')


# --- the matrix ------------------------------------------------------------

def attempts(program):
    """What xferry went through, in its own words."""
    return [f'{event["via"]} {event["state"]}' for event in program.events
            if event.get('event') == 'attempt' and event['state'] != 'trying']


def play(peers, servers, peer, direction, rung, kind):
    cell = dict(peer=peer, direction=direction, transport=RUNGS[rung],
                when=WHEN[rung], server=kind)
    server = servers[kind][rung == 'fallback']
    reason = IMPOSSIBLE.get((peer, direction, rung))
    run = to_smack if direction == 'to' else from_smack
    begun = time.monotonic()
    try:
        if reason:
            failed = left_alone(peers, peer, server, rung).find('failed')
            return dict(cell, result='impossible', reason=reason,
                        told=failed['text'],
                        seconds=time.monotonic() - begun)
        ours = run(peers, peer, server, rung)
    except Exception as why:  # the others go on
        server.failed = True
        return dict(cell, result='failed', reason=f'{type(why).__name__}: '
                    f'{why}', seconds=time.monotonic() - begun)
    return dict(cell, result='ok', rung=RUNGS[rung], rungs=attempts(ours),
                seconds=ours.find('done')['t'] - ours.find('offer')['t'])


def title(cell):
    ends = ('xferry', cell['peer'])
    if cell['direction'] == 'from':
        ends = ends[::-1]
    return (f'{" > ".join(ends):18} {cell["transport"]:6} {cell["server"]:8} '
            f'{cell["when"]:37}')


def tell(cell):
    line = f'{cell["result"]:10} {title(cell)}'
    if cell['result'] == 'ok':
        line += f' {cell["seconds"]:5.1f} s  {", ".join(cell["rungs"])}'
    elif cell['result'] == 'impossible':
        line += f' {cell["reason"]}'
    else:
        line += f'\n{cell["reason"]}'
    print(line, flush=True)


def matrix(args):
    peers = Peers(Path(args.build))
    cells = [(peer, direction, rung, kind) for kind in SERVERS
             for peer in PEERS for direction in DIRECTIONS for rung in RUNGS]
    chosen = [one for one in cells if not args.only or all(
        word in one for word in args.only.split())]
    kinds = {one[3] for one in chosen}
    results = []
    with Servers(kinds, 24 * args.rounds) as servers, \
            ThreadPoolExecutor(args.workers) as pool:
        for cell in pool.map(lambda one: play(peers, servers, *one),
                             chosen * args.rounds):
            tell(cell)
            results.append(cell)
    return results


class Servers:
    """A live one and one with a dead proxy, of each kind."""

    def __init__(self, kinds, pairs):
        self._kinds, self._pairs = kinds, pairs

    def __enter__(self):
        self._open = []
        servers = {}
        try:
            for kind in self._kinds:
                servers[kind] = []
                for make in SERVERS[kind]:
                    server = make(pairs=self._pairs)
                    server.__enter__()
                    self._open.append(server)
                    servers[kind].append(server)
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return servers

    def __exit__(self, *why):
        for server in self._open:
            server.__exit__(*why)


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument('xferry', nargs='?', default='build/cli/xferry')
    cache = os.environ.get('XDG_CACHE_HOME', os.path.expanduser('~/.cache'))
    parser.add_argument('--build', default=f'{cache}/xferry-interop/smack')
    parser.add_argument('--only', help='words like "smack-4.4 to ibb"')
    parser.add_argument('--json', help='write the cells there')
    parser.add_argument('--rounds', type=int, default=1)
    parser.add_argument('--workers', type=int, default=3)
    return parser.parse_args()


def main():
    args = options()
    if not Path(args.xferry).exists():
        sys.exit(f'smack: there is no {args.xferry}; `make build` makes it')
    # In the namespace there is nothing to fetch from.
    if os.environ.get(netns.MARK) != '1':
        build(Path(args.build))
    netns.enter()
    ferry.use(args.xferry)
    on_sigterm()
    results = matrix(args)
    if args.json:
        Path(args.json).write_text(json.dumps(results, indent=1) + '\n')
    count = {word: sum(cell['result'] == word for cell in results)
             for word in ('ok', 'failed', 'impossible')}
    print(f'# {count["ok"]} ok, {count["failed"]} failed, '
          f'{count["impossible"]} impossible by the peer', flush=True)
    return 1 if count['failed'] else 0


if __name__ == '__main__':
    sys.exit(main())
