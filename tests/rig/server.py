"""What every throw-away XMPP server has in common: a folder, free ports on
loopback, an authority of its own, accounts, and an end. Which program serves
is left to prosody.py and ejabberd.py."""

import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PASSWORD = 'open sesame'
COMPONENT_SECRET = 'swordfish'
MECHANISMS = {'PLAIN', 'DIGEST-MD5', 'X-OAUTH2', 'EXTERNAL'} | {
    f'SCRAM-SHA-{bits}{plus}' for bits in (1, 256, 512)
    for plus in ('', '-PLUS')}
START_S = 60  # a loaded machine with two cores starts an Erlang in 20


class Account:
    """One account; `full` is the JID its programs are to bind."""

    def __init__(self, user, domain, resource):
        self.user = user
        self.bare = f'{user}@{domain}'
        self.full = f'{self.bare}/{resource}'
        self.password = PASSWORD

    def __str__(self):
        return self.bare


_reserved = []


def _reserve(port):
    """Keep the port from all other tests until this process ends: its server
    binds it seconds later. A name of the kernel's does it, which leaves no
    file and is seen where the port is. False where another test has it."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f'\0xferry-test-port-{port}')
    except OSError:
        name.close()
        return False
    _reserved.append(name)
    return True


def free_port():
    """A port nobody listens on nor is about to, below those the kernel gives
    away itself."""
    for _ in range(200):
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
            except OSError:
                continue
        if _reserve(port):
            return port
    raise RuntimeError('no free port')


def run(*command, **options):
    """Run a helper; its words are shown only when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **options)
    if done.returncode:
        raise RuntimeError(f'{command[0]}: ' +
                           done.stdout.decode(errors='replace'))


def make_authority(folder):
    """An authority: ca.pem and ca.key in `folder`."""
    run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
        'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
        '-subj', '/CN=Throw-away authority', '-addext',
        'basicConstraints=critical,CA:TRUE', '-addext',
        'keyUsage=critical,keyCertSign', '-keyout', folder / 'ca.key',
        '-out', folder / 'ca.pem')


def make_certificate(folder, names, days=2):
    """server.pem (with the chain) and server.key for `names`."""
    san = ','.join(f'DNS:{name}' for name in names)
    extensions = folder / 'server.ext'
    extensions.write_text(f'subjectAltName={san}\n'
                          'extendedKeyUsage=serverAuth\n')
    run('openssl', 'req', '-newkey', 'ec', '-pkeyopt',
        'ec_paramgen_curve:P-256', '-nodes', '-subj', f'/CN={names[0]}',
        '-keyout', folder / 'server.key', '-out', folder / 'server.csr')
    run('openssl', 'x509', '-req', '-in', folder / 'server.csr', '-CA',
        folder / 'ca.pem', '-CAkey', folder / 'ca.key', '-CAcreateserial',
        '-days', str(days), '-extfile', extensions,
        '-out', folder / 'server.crt')
    chain = (folder / 'server.crt').read_text()
    (folder / 'server.pem').write_text(
        chain + (folder / 'ca.pem').read_text())
    # ejabberd wants key and chain in one file.
    (folder / 'all.pem').write_text(
        (folder / 'server.key').read_text() + chain)


_libc = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """In the child: nobody outlives the test, not even a killed one."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def on_sigterm():
    """Make SIGTERM leave by way of every `with`, as an exception does."""
    def leave(_signal, _frame):
        raise SystemExit(143)
    signal.signal(signal.SIGTERM, leave)


class Server:
    """A server as a context manager.

    tls         'any', '1.2', '1.3', or None for none at all
    domain      the XMPP domain; always reached at 127.0.0.1
    names       what the certificate says, when not the domain
    pairs       couples of accounts who see each other's presence
    strangers   couples who do not
    mechanisms  the only SASL mechanisms offered; None is all
    debug       log every stanza
    port, tls_port  where to serve, when it is to be known before
    limits      the rates and sizes its package ships, instead of none
    stanza_limit  bytes of a stanza (Prosody), instead of the above
    proxy_host  where the proxy says it is; it listens at 127.0.0.1
    own_proxy   whether it has one
    components  names below its domain that may come as components, with
                COMPONENT_SECRET, at `component_address`
    """

    kind = '?'

    def __init__(self, domain='localhost', tls='any', names=None, pairs=40,
                 strangers=4, mechanisms=None, debug=False, port=None,
                 tls_port=None, keep=False, limits=False, stanza_limit=None,
                 proxy_host='127.0.0.1', own_proxy=True, components=(),
                 component_host='127.0.0.1'):
        self.domain, self.tls = domain, tls
        self.names = names or [domain]
        self.mechanisms, self.debug = mechanisms, debug
        self.keep = keep
        self.limits, self.stanza_limit = limits, stanza_limit
        self.failed = False
        self.process = None
        self.port = port or free_port()
        self.tls_port = tls_port or free_port()
        self.proxy_port = free_port() if own_proxy else None
        self.proxy_host = proxy_host
        self.components = [f'{name}.{domain}' for name in components]
        self.component_port = free_port() if components else None
        self.component_host = component_host
        self.proxy = f'proxy.{domain}'
        self._pairs = [self._couple('', i) for i in range(pairs)]
        self._strangers = [self._couple('x', i) for i in range(strangers)]
        self.all_pairs = list(self._pairs)
        self.all_strangers = list(self._strangers)

    def _couple(self, mark, i):
        return (Account(f'romeo{mark}{i}', self.domain, 'orchard'),
                Account(f'juliet{mark}{i}', self.domain, 'balcony'))

    def pair(self):
        """Two accounts nobody else uses, subscribed to each other."""
        return self._pairs.pop()

    def strangers(self):
        """Two accounts nobody else uses who do not know each other."""
        return self._strangers.pop()

    def disabled_mechanisms(self):
        kept = self.mechanisms or MECHANISMS - {'DIGEST-MD5', 'X-OAUTH2'}
        return sorted(MECHANISMS - set(kept))

    @property
    def ca(self):
        return self.folder / 'ca.pem'

    @property
    def address(self):
        return f'127.0.0.1:{self.port}'

    @property
    def component_address(self):
        return f'{self.component_host}:{self.component_port}'

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix=f'xferry-{self.kind}-'))
        try:
            make_authority(self.folder)
            make_certificate(self.folder, self.names)
            self.configure()
            self.log = open(self.folder / 'output.log', 'wb')
            self._start()
        except BaseException:
            self.failed = True
            self.__exit__(*sys.exc_info())
            raise
        return self

    def _start(self):
        self.process = subprocess.Popen(
            self.command(), cwd=self.folder, env=self.environment(),
            stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=subprocess.STDOUT, start_new_session=True,
            preexec_fn=die_with_parent)
        self._await()

    def restart(self):
        """Stop in good order and begin anew, on the same ports."""
        self._stop()
        self._start()

    def __exit__(self, kind, _value, _trace):
        if self.process:
            self._stop()
            self.log.close()
        if (kind and kind is not SystemExit) or self.failed or self.keep:
            print(f'# {self.kind}: logs kept in {self.folder}',
                  file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _stop(self):
        """Its session is its own, so this reaches nobody else."""
        for number, patience in ((self.stop_signal, 10), (signal.SIGKILL, 10)):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass
            try:
                self.process.wait(patience)
                return
            except subprocess.TimeoutExpired:
                continue

    def _await(self):
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f'{self.kind} ended at once:\n' +
                                   self.words())
            if self.ready():
                return
            time.sleep(0.05)
        raise RuntimeError(f'{self.kind} does not get ready:\n' + self.words())

    def listening(self):
        for host, port in (('127.0.0.1', self.port),
                           ('127.0.0.1', self.proxy_port),
                           (self.component_host, self.component_port)):
            with socket.socket() as probe:
                if port and probe.connect_ex((host, port)):
                    return False
        return True

    def words(self):
        text = ''
        for name in ('output.log', 'server.log'):
            path = self.folder / name
            if path.exists():
                text += path.read_text(errors='replace')[-4000:]
        return text

    # --- what a kind of server says for itself -----------------------------

    stop_signal = signal.SIGTERM

    def configure(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ, HOME=str(self.folder))

    def ready(self):
        return self.listening()
