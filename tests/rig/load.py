"""Several of tests/bench/load at once, and what processes take meanwhile."""

import json
import os
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from ferry import Unexpected
from server import PASSWORD, die_with_parent

PATIENCE_S = 300
APART = 100_000  # between the numbers of two processes' streams


def exe(name='load'):
    return os.environ.get('XFERRY_LOAD',
                          'build/tests/bench/load').rsplit('/', 1)[0] + \
        '/' + name


class Target:
    """Where streams go: a SOCKS5 port, and who activates them there.

    port, ports   as load's
    server        an XMPP server without TLS, or None: nobody has to activate
    component     the proxy's JID
    pids          a function: the processes that are measured
    """

    def __init__(self, name, port, pids, ports=1, server=None,
                 component=None):
        self.name, self.port, self.pids = name, port, pids
        self.ports, self.server, self.component = ports, server, component
        self._accounts = []
        self._used = 0

    def accounts(self, count):
        """Couples that log in again and again, one after the other."""
        while len(self._accounts) < count:
            self._accounts.append(self.server.pair())
        return self._accounts[:count]

    def sid(self):
        """Of streams that were not there before."""
        self._used += 1
        return f'{self.name}{os.getpid()}-{self._used}'.replace(' ', '')


class Load:
    """`processes` of them as a context manager; all of them begin at go().
    `user` is a number, for processes that are not to be root's."""

    def __init__(self, target, mode, processes=2, pairs=None, user=None,
                 wrap=(), **settings):
        self.target, self.mode = target, mode
        self.settings, self.wrap = settings, list(wrap)
        if user is not None:
            self.wrap += ['setpriv', f'--reuid={user}', f'--regid={user}',
                          '--clear-groups', '--pdeathsig=KILL']
        self.processes = min(processes, pairs or processes)
        self.pairs = pairs
        self.running = []

    def _command(self, i, sid):
        # More at a time are more than ejabberd's listener has room for.
        words = dict({'parallel': 4}, **self.settings)
        words.update(proxy=self.target.port,
                     ports=self.target.ports, sid=sid, first=i * APART,
                     source=f'127.0.{i + 1}.1', sources=8)
        if self.pairs:
            words['pairs'] = self.pairs // self.processes + \
                (i < self.pairs % self.processes)
        if self.target.server:
            romeo, juliet = self.target.accounts(self.processes)[i]
            words.update({'from': romeo.full, 'to': juliet.full,
                          'xmpp': self.target.server.port,
                          'user': romeo.user,
                          'domain': self.target.server.domain,
                          'resource': romeo.full.split('/')[1],
                          'password': PASSWORD,
                          'component': self.target.component})
        return [*self.wrap, exe(), self.mode,
                *(f'{key}={value}' for key, value in words.items())]

    def __enter__(self):
        sid = self.target.sid()
        for i in range(self.processes):
            self.running.append(subprocess.Popen(
                self._command(i, sid), stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True,
                preexec_fn=die_with_parent))
        self.ready = sum(int(self._line(one).split()[1])
                         for one in self.running)
        return self

    def _line(self, one):
        line = one.stdout.readline()
        if not line:
            raise Unexpected(f'{self.target.name}: load ended with '
                             f'{one.wait()}')
        return line

    def __exit__(self, *_):
        for one in self.running:
            one.kill()
            one.wait()
            one.stdin.close()
            one.stdout.close()

    def go(self):
        for one in self.running:
            one.stdin.write('go\n')
            one.stdin.flush()

    def results(self):
        """One of each process, when it is over."""
        return [json.loads(self._line(one)) for one in self.running]

    def result(self):
        """All together."""
        each = self.results()
        whole = {key: sum(one[key] for one in each)
                 for key in ('pairs', 'done', 'lost', 'refused', 'wrong',
                             'bytes')}
        whole['seconds'] = max(one['ended'] for one in each) - \
            min(one['began'] for one in each)
        return whole


def children(pid):
    """It and all below it."""
    found = [pid]
    for task in Path(f'/proc/{pid}/task').iterdir():
        for child in (task / 'children').read_text().split():
            found += children(int(child))
    return found


def cpu_s(pids):
    """Seconds of CPU so far, of all their threads."""
    return sum(int((task / 'schedstat').read_text().split()[0])
               for pid in pids
               for task in Path(f'/proc/{pid}/task').iterdir()) / 1e9


def memory(pids):
    """Bytes of memory that belong to them alone and not to a file."""
    total = 0
    for pid in pids:
        for line in Path(f'/proc/{pid}/status').read_text().splitlines():
            if line.startswith('RssAnon'):
                total += int(line.split()[1]) * 1024
    return total


def moved(target, streams, mib, processes=2, **settings):
    """Bytes a second and CPU seconds a GiB."""
    with Load(target, 'move', processes, streams, mib=mib,
              **settings) as load:
        if load.ready != streams:
            raise Unexpected(f'{target.name}: {load.ready} of {streams} '
                             'streams')
        before = cpu_s(target.pids())
        load.go()
        result = load.result()
        time.sleep(0.05)
        used = cpu_s(target.pids()) - before
    if result['done'] != streams or result['wrong']:
        raise Unexpected(f'{target.name}: {result}')
    return (result['bytes'] / result['seconds'],
            used / (result['bytes'] / 2**30))


def bare(stack: ExitStack, port, name='bare', *words):
    """tests/bench/bare or raw, as a process of the stack's."""
    process = subprocess.Popen([exe(name), str(port), *words],
                               preexec_fn=die_with_parent)
    stack.callback(process.wait)
    stack.callback(process.kill)
    time.sleep(0.3)
    return process
