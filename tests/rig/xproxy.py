"""xferry-proxy as a process: its settings, its log, its numbers, and the two
ends of bytestreams that go through it."""

import hashlib
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.request
from array import array
from pathlib import Path

from component import S5B, error_of
from ferry import Unexpected
from server import die_with_parent, free_port

SECRET = 'swordfish'
ROMEO = 'romeo@localhost/orchard'
JULIET = 'juliet@localhost/balcony'
PATIENCE_S = 20


def exe():
    return os.environ.get('XFERRY_PROXY', 'build/proxyd/xferry-proxy')


class Proxy:
    """A running proxy as a context manager.

    server   its component address, "127.0.0.1:5347"
    jid      its own
    settings keys of its file; a list stands for a key that repeats, None
             leaves a key out
    sections [JID] and its keys
    options  words for its command line
    """

    def __init__(self, server, jid='proxy.localhost', secret=SECRET,
                 sections=(), options=(), ready=True, host='127.0.0.1',
                 limit=None, env=None, user=None, wrap=(), **settings):
        self.server, self.jid, self.secret = server, jid, secret
        self.sections, self.options = dict(sections), list(options)
        self.wait_ready, self.host = ready, host
        self.limit, self.env, self.user = limit, env or {}, user
        self.wrap = list(wrap)
        if user:
            self.wrap += ['setpriv', f'--reuid={user}', f'--regid={user}',
                          '--clear-groups', '--pdeathsig=KILL']
        self.port = free_port()
        self.settings = {key.replace('_', '-'): value
                         for key, value in settings.items()}
        self.process = None

    def defaults(self):
        return {'component': self.jid, 'server': self.server,
                'secret-file': self.folder / 'secret',
                'listen': f'{self.host}:{self.port}',
                'advertise': self.host, 'allow': 'localhost', 'workers': 2,
                'metrics': f'unix:{self.folder}/metrics',
                # Everything comes from one address here.
                'half-open-per-address': 100000,
                'connections-per-address': 0, 'log-level': 'debug'}

    def write(self, **settings):
        """Its file, with some keys changed."""
        self.settings.update({key.replace('_', '-'): value
                              for key, value in settings.items()})
        lines = []
        for key, value in {**self.defaults(), **self.settings}.items():
            values = value if isinstance(value, list) else [value]
            lines += [f'{key} = {one}' for one in values if one is not None]
        for jid, keys in self.sections.items():
            lines.append(f'[{jid}]')
            lines += [f'{key} = {value}' for key, value in keys.items()]
        self.conf.write_text('\n'.join(lines) + '\n')

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix='xferry-xproxy-'))
        self.conf = self.folder / 'xferry-proxy.conf'
        secret = self.folder / 'secret'
        secret.touch(0o600)
        secret.write_text(self.secret + '\n')
        self.write()
        if self.user:
            for path in (self.folder, secret):
                os.chown(path, self.user, self.user)
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def start(self):
        """Begin, again after `kill`."""
        self.lines, self._news = [], threading.Condition()
        self._over = False
        limit = self.limit

        def prepare():
            die_with_parent()
            if limit:
                import resource
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

        self.process = subprocess.Popen(
            [*self.wrap, exe(), '--config', self.conf, *self.options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, preexec_fn=prepare,
            env=dict(os.environ, LSAN_OPTIONS='print_suppressions=0',
                     UBSAN_OPTIONS='print_stacktrace=1', **self.env))
        self._reader = threading.Thread(target=self._read, daemon=True,
                                        args=(self.process.stderr,))
        self._reader.start()
        if self.wait_ready:
            self.wait('listening on')
            self.wait('component: online')

    def __exit__(self, kind, *_):
        if self.process:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
            self._reader.join(5)
        broken = [line for line in getattr(self, 'lines', [])
                  if 'Sanitizer' in line or 'runtime error:' in line]
        shutil.rmtree(self.folder, ignore_errors=True)
        if broken and kind is None:
            raise Unexpected(f'a sanitizer reports\n{self.story()}')

    def _read(self, stream):
        for line in stream:
            with self._news:
                self.lines.append(line.decode(errors='replace').rstrip('\n'))
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()

    def find(self, pattern):
        return [line for line in list(self.lines) if re.search(pattern, line)]

    def wait(self, pattern, timeout=PATIENCE_S, count=1):
        """The line of the log that fits, now or to come."""
        end = time.monotonic() + timeout
        with self._news:
            while len(found := self.find(pattern)) < count:
                left = end - time.monotonic()
                if self._over or left <= 0:
                    raise Unexpected(f'no line "{pattern}"\n{self.story()}')
                self._news.wait(left)
        return found[count - 1]

    def story(self):
        return '\n'.join(self.lines[-60:])

    @property
    def pid(self):
        return self.process.pid

    def workers(self):
        words = Path(f'/proc/{self.pid}/task/{self.pid}/children').read_text()
        return [int(word) for word in words.split()]

    def everyone(self):
        return [self.pid, *self.workers()]

    def descriptors(self):
        return sum(len(os.listdir(f'/proc/{pid}/fd'))
                   for pid in self.everyone())

    def cpu_s(self):
        """Of all its processes, used up to now."""
        ticks = 0
        for pid in self.everyone():
            words = Path(f'/proc/{pid}/stat').read_text().rsplit(')')[-1]
            ticks += sum(map(int, words.split()[11:13]))
        return ticks / os.sysconf('SC_CLK_TCK')

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self, **settings):
        had = len(self.find('reload: '))
        self.write(**settings)
        self.signal(signal.SIGHUP)
        return self.wait('reload: ', count=had + 1)

    def kill(self):
        """As the kernel would."""
        self.process.kill()
        self.process.wait()
        # Its workers hold the other end until they have noticed.
        self._reader.join(5)

    def code(self, timeout=PATIENCE_S):
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Unexpected(f'does not end\n{self.story()}') from None
        self._reader.join(5)
        return self.process.returncode

    def metrics(self):
        """Its numbers, by name with labels."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE_S)
            sock.connect(str(self.folder / 'metrics'))
            sock.sendall(b'GET /metrics HTTP/1.0\r\n\r\n')
            text = b''
            while data := sock.recv(65536):
                text += data
        return parse_metrics(text.decode().split('\r\n\r\n', 1)[1])

    def await_metric(self, name, value, timeout=PATIENCE_S):
        end = time.monotonic() + timeout
        while (got := self.metrics()[name]) != value:
            if time.monotonic() > end:
                raise Unexpected(f'{name} is {got}, not {value}\n'
                                 f'{self.story()}')
            time.sleep(0.05)

    # --- SOCKS5 ------------------------------------------------------------

    def connect(self, host=None, timeout=PATIENCE_S):
        return socket.create_connection((host or self.host, self.port),
                                        timeout)

    def side(self, sid, requester=ROMEO, target=JULIET, early=b'', **more):
        """One end, connected; `early` goes out behind its request."""
        return self.join(dstaddr(sid, requester, target), early, **more)

    def join(self, address, early=b'', **more):
        sock = self.connect(**more)
        try:
            handshake(sock, address, early)
        except BaseException:
            sock.close()
            raise
        return sock

    def pair(self, link, sid, requester=ROMEO, target=JULIET):
        """Both ends, activated: (requester's, target's)."""
        b = self.side(sid, requester, target)
        a = self.side(sid, requester, target)
        activated(activate(link, self.jid, sid, requester, target))
        return a, b


def parse_metrics(text):
    numbers = {}
    for line in text.splitlines():
        if line and not line.startswith('#'):
            name, value = line.rsplit(' ', 1)
            numbers[name] = float(value)
    return numbers


def http(address, path='/metrics'):
    with urllib.request.urlopen(f'http://{address}{path}', timeout=5) as page:
        return page.read().decode()


def dstaddr(sid, requester=ROMEO, target=JULIET):
    return hashlib.sha1((sid + requester + target).encode()).hexdigest()


def request(address):
    """A CONNECT to a domain name and port 0 (XEP-0065, 5.3.2)."""
    name = address if isinstance(address, bytes) else address.encode()
    return b'\5\1\0\3' + bytes([len(name)]) + name + b'\0\0'


def receive_exactly(sock, count):
    data = b''
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise Unexpected(f'it ends after {data!r}')
        data += more
    return data


def receive_all(sock):
    """Up to its end; None when it was reset."""
    data = []
    try:
        while more := sock.recv(1 << 20):
            data.append(more)
    except ConnectionResetError:
        return None
    return b''.join(data)


def handshake(sock, address, early=b''):
    sock.sendall(b'\5\1\0')
    if (got := receive_exactly(sock, 2)) != b'\5\0':
        raise Unexpected(f'greeted by {got!r}')
    sock.sendall(request(address) + early)
    head = receive_exactly(sock, 5)
    if head[:4] != b'\5\0\0\3':
        raise Unexpected(f'answered by {head!r}')
    rest = receive_exactly(sock, head[4] + 2)
    if rest != address.encode() + b'\0\0':
        raise Unexpected(f'another address: {rest!r}')


def activation(sid, target):
    return (f'<query xmlns="{S5B}" sid="{sid}"><activate>{target}</activate>'
            '</query>')


def activate(link, jid, sid, requester=ROMEO, target=JULIET, **more):
    return link.ask('set', activation(sid, target), requester, jid, **more)


def activated(reply):
    if reply.get('type') != 'result':
        raise Unexpected(f'not activated: {error_of(reply)}')


def reset(sock):
    """Close so that the other end sees a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack('ii', 1, 0))
    sock.close()


def pattern(size, salt=0):
    """Bytes that tell where they belong."""
    first = salt << 32
    return array('Q', range(first, first + (size + 7) // 8)).tobytes()[:size]
