"""Runs xferry and the slixmpp peer as processes and hears what they say. What
is to come of it is left to the tests."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from server import die_with_parent

HERE = Path(__file__).resolve().parent
PYTHON = '/usr/bin/python3'
PATIENCE_S = 60

_exe = os.environ.get('XFERRY', 'xferry')


def use(path):
    """Which program to test."""
    global _exe
    _exe = str(Path(path).resolve())


def exe():
    return _exe


def sha256(path):
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


class Unexpected(AssertionError):
    """What came is not what had to come; tells the whole conversation."""


class Program:
    """A process that says one JSON object a line."""

    def __init__(self, command, env=None, cwd=None, wrap=()):
        self.command = [*wrap, *map(str, command)]
        self.events, self.errors = [], []
        self._news = threading.Condition()
        self._over = False
        self.process = subprocess.Popen(
            self.command, env=dict(os.environ, **(env or {})), cwd=cwd,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, errors='replace',
            preexec_fn=die_with_parent)
        self._readers = [threading.Thread(target=self._read_events),
                         threading.Thread(target=self._read_errors)]
        for reader in self._readers:
            reader.daemon = True
            reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        for reader in self._readers:
            reader.join(5)

    @property
    def pid(self):
        return self.process.pid

    def _read_events(self):
        for line in self.process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                event = {'event': 'not JSON', 'line': line}
            event.setdefault('t', time.monotonic())
            with self._news:
                self.events.append(event)
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line.rstrip('\n'))

    def find(self, event, **fields):
        """The first event like that, or None."""
        for had in list(self.events):
            if had.get('event') == event and all(
                    had.get(k) == v for k, v in fields.items()):
                return had
        return None

    def wait(self, event, timeout=PATIENCE_S, **fields):
        """The first event like that, now or to come."""
        end = time.monotonic() + timeout
        with self._news:
            while (found := self.find(event, **fields)) is None:
                left = end - time.monotonic()
                if self._over or left <= 0:
                    break
                self._news.wait(left)
        if found is None:
            raise Unexpected(f'no {event} {fields or ""}\n{self.story()}')
        return found

    def code(self, timeout=PATIENCE_S):
        """The exit status, once it is there."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Unexpected(f'does not end\n{self.story()}') from None
        for reader in self._readers:
            reader.join(5)
        return self.process.returncode

    def expect(self, code, timeout=PATIENCE_S):
        """It ends with that status; returns itself."""
        if (got := self.code(timeout)) != code:
            raise Unexpected(f'exit {got}, not {code}\n{self.story()}')
        for line in self.errors:
            if 'Sanitizer' in line or 'runtime error:' in line:
                raise Unexpected(f'a sanitizer reports\n{self.story()}')
        return self

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def story(self):
        lines = [' '.join(self.command)]
        lines += ['  ' + json.dumps(event, ensure_ascii=False)
                  for event in self.events[:6] + self.events[6:][-34:]]
        lines += ['  ! ' + line for line in self.errors[-60:]]
        return '\n'.join(lines)


def _login(server, account, password=None):
    words = ['--account', account.full, '--server', server.address]
    words += ['--ca-file', server.ca] if server.tls else ['--plain']
    env = {'XFERRY_PASSWORD': password or account.password,
           'XDG_CONFIG_HOME': '/nonexistent', 'HOME': '/nonexistent',
           'LSAN_OPTIONS': 'print_suppressions=0',
           'UBSAN_OPTIONS': 'print_stacktrace=1'}
    return words, env


def run(server, account, command, *words, password=None, wrap=(), cwd=None):
    """`xferry command ...` logged in as that account."""
    login, env = _login(server, account, password)
    return Program([exe(), command, '--json', *login, *words], env, cwd, wrap)


def send(server, account, path, to, *options, **more):
    return run(server, account, 'send', *options, path, to, **more)


def receive(server, account, folder, *options, ready=True, **more):
    """A receiver of one file from anybody; online when this returns."""
    program = run(server, account, 'receive', '--from', 'any', '--count', '1',
                  *options, folder, **more)
    if ready:
        try:
            program.wait('online')
        except BaseException:
            program.kill()
            raise
    return program


def slix(server, account, command, *words, ready=True):
    """The slixmpp peer, online when this returns."""
    ca = ['--ca', server.ca] if server.tls else []
    program = Program([PYTHON, HERE / 'slix_peer.py', command, '--jid',
                       account.full, '--password', account.password,
                       '--server', server.address, *ca, *words])
    if ready:
        try:
            program.wait('online')
        except BaseException:
            program.kill()
            raise
    return program


class Desk:
    """A folder of one test: files in `out`, room for them in `into`."""

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix='xferry-desk-'))
        self.out, self.into = self.folder / 'out', self.folder / 'into'
        self.out.mkdir()
        self.into.mkdir()
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def file(self, size=100_000, name='report.bin'):
        path = self.out / name
        path.write_bytes(os.urandom(size))
        return path

    def sparse(self, size, name='big.bin'):
        path = self.out / name
        with open(path, 'wb') as file:
            file.truncate(size)
        return path

    def received(self):
        """The names that stand in the receiver's folder."""
        return sorted(os.listdir(self.into))


def same(path, copy):
    """The copy is the file, private, and nothing else."""
    if sha256(path) != sha256(copy):
        raise Unexpected(f'{copy} is not {path}: {copy.stat().st_size} of '
                         f'{path.stat().st_size} bytes')
    if mode := copy.stat().st_mode & 0o177:
        raise Unexpected(f'{copy} has mode {mode:o} too many')


def listeners(pid):
    """The TCP ports a process listens on."""
    table = subprocess.run(['ss', '-Hltnp'], capture_output=True, text=True,
                           check=True).stdout
    return [line.split()[3] for line in table.splitlines()
            if f'pid={pid},' in line]


def peak_rss_kib(pid):
    for line in Path(f'/proc/{pid}/status').read_text().splitlines():
        if line.startswith('VmHWM:'):
            return int(line.split()[1])
    return 0


def interrupt(program):
    program.signal(signal.SIGINT)
