"""The proxy as a component: how it logs in, whom it serves, and each answer
it gives, word by word.

    proxy_component.py [PART OF A NAME | all]
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

from cases import Cases  # noqa: E402
from component import (  # noqa: E402
    ACCEPT, INFO, ITEMS, S5B, ComponentServer, error_of)
from ferry import Unexpected  # noqa: E402
from server import free_port, on_sigterm  # noqa: E402
from xproxy import (  # noqa: E402
    JULIET, ROMEO, SECRET, Proxy, activate, activated, activation, dstaddr,
    exe, http, parse_metrics, pattern, receive_all, receive_exactly, request)

ALL = sys.argv[1:2] == ['all']
QUERY = f'<query xmlns="{S5B}"/>'
E_USAGE, E_AUTH, E_PERM = 2, 10, 52


def check(holds, words):
    if not holds:
        raise Unexpected(words)


class Stage:
    """A proxy and the server it belongs to."""

    def __init__(self, mode='ok', **settings):
        self.server = ComponentServer(mode=mode)
        self.proxy = Proxy(self.server.address, **settings)

    def __enter__(self):
        try:
            self.proxy.__enter__()
            link = self.server.link() if self.proxy.wait_ready else None
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self.proxy, self.server, link

    def __exit__(self, *what):
        if self.proxy.process:
            self.proxy.__exit__(*what)
        self.server.shut()


def expect(reply, kind, condition, words=''):
    got = error_of(reply) if reply.get('type') == 'error' else \
        reply.get('type')
    check(got == (kind, condition), f'{words}: {got}, not {kind} {condition}')


# --- G01, G02: the link ------------------------------------------------------

def refused_at_first(mode):
    """Nothing to be tried again: somebody has to set it right."""
    with Stage(mode=mode, ready=False) as (proxy, server, _):
        check(proxy.code() == E_AUTH, f'exit {proxy.process.returncode}\n'
              f'{proxy.story()}')
        check(proxy.find('E-AUTH'), proxy.story())
        check(len(server.attempts) == 1, f'{len(server.attempts)} attempts')


def wrong_secret_at_first():
    with Stage(secret='another', ready=False) as (proxy, _, _l):
        check(proxy.code() == E_AUTH, proxy.story())


def pair_goes_on(pair, salt):
    a, b = pair
    data = pattern(200_000, salt)
    sender = threading.Thread(target=a.sendall, args=(data,))
    sender.start()
    got = receive_exactly(b, len(data))
    sender.join()
    check(got == data, 'other bytes')


def refused_later(mode):
    """Tried again, later and later; what flows, flows."""
    with Stage() as (proxy, server, link):
        pair = proxy.pair(link, 'kept')
        server.mode = mode
        link.close()
        begun = time.monotonic()
        proxy.wait('again in', count=2)
        pair_goes_on(pair, 1)
        time.sleep(max(0, 5 - (time.monotonic() - begun)))
        tries = [one - begun for one in server.attempts[1:]]
        # 1, 2, 4 s and up, each with a little chance in it.
        check(2 <= len(tries) <= 5, f'tried after {tries}')
        waits = [b - a for a, b in zip(tries, tries[1:])]
        check(waits == sorted(waits), f'waited {waits}')
        server.mode = 'ok'
        link = server.link(2, timeout=15)
        pair_goes_on(pair, 2)
        c, d = proxy.pair(link, 'new')
        pair_goes_on((c, d), 3)


def handshake_without_answer():
    """30 s are enough for a server that is well."""
    with Stage(mode='silent', ready=False) as (proxy, server, _):
        begun = time.monotonic()
        check(proxy.code(40) == E_AUTH, proxy.story())
        took = time.monotonic() - begun
        check(29 <= took <= 32, f'{took:.1f} s, not 30')
        check(len(server.attempts) == 1, f'{len(server.attempts)} attempts')


def server_comes_later():
    """The proxy may be started first."""
    server = ComponentServer()
    server.shut()
    proxy = Proxy(server.address, ready=False)
    try:
        with proxy:
            proxy.wait('again in')
            server.open()
            server.link(1)
            proxy.wait('component: online')
    finally:
        server.shut()


def server_is_restarted():
    """Many pairs flow meanwhile; those not yet activated still can be."""
    count = 1_000 if ALL else 200
    with Stage(pairs_per_jid=0) as (proxy, server, link):
        pairs = []
        for i in range(count):
            b, a = proxy.side(f'r{i}'), proxy.side(f'r{i}')
            pairs.append((a, b))
        for i in range(count):
            activated(activate(link, proxy.jid, f'r{i}'))
        waiting = proxy.side('later'), proxy.side('later')
        one = proxy.side('half')
        server.shut()
        proxy.wait('component: .*again in')
        for i, pair in enumerate(pairs):
            pair[0].sendall(b'%06d' % i)
        for i, pair in enumerate(pairs):
            check(receive_exactly(pair[1], 6) == b'%06d' % i, f'pair {i}')
        server.open()
        begun = time.monotonic()
        link = server.link(2, timeout=5)
        activated(activate(link, proxy.jid, 'later'))
        waiting[1].sendall(b'x')
        check(receive_exactly(waiting[0], 1) == b'x', 'nothing comes')
        two = proxy.side('half')
        activated(activate(link, proxy.jid, 'half'))
        check(time.monotonic() - begun < 5, 'not within 5 s')
        for i, pair in enumerate(pairs):
            pair_goes_on(pair, i) if i % 50 == 0 else None
            pair[0].close()
            check(receive_all(pair[1]) == b'', f'pair {i} had more')
        one.close(), two.close()


# --- G03: who may ------------------------------------------------------------

def who_may_ask():
    """Nobody but those who are named; a server is nobody's user."""
    with Stage(allow=['localhost', 'boss@other.net'],
               deny=['eve@localhost', 'romeo@localhost/bad']) \
            as (proxy, _, link):
        for sender, may in (
                (ROMEO, True),
                ('ROMEO@LocalHost/orchard', True),
                ('romeo@localhost', True),
                ('romeo@localhost/bad', False),
                ('eve@localhost/x', False),
                ('romeo@other.net/x', False),
                ('boss@other.net/desk', True),
                ('boss@localhost.other.net/x', False),
                ('romeo@sub.localhost/x', False),
                ('romeo@notlocalhost/x', False),
                ('other.net', False),
                ('other.net/boss@other.net', False),
                ('localhost', False),
                ('localhost/romeo@localhost', False),
                ('a@b@localhost/x', False),
                ('@localhost/x', False),
                (None, False),
                ('', False)):
            reply = link.ask('get', QUERY, sender, proxy.jid)
            hosts = reply.findall(f'.//{{{S5B}}}streamhost')
            if may:
                check(reply.get('type') == 'result' and len(hosts) == 1,
                      f'{sender}: {error_of(reply)}')
            else:
                check(reply.get('type') == 'error' and not hosts,
                      f'{sender} may')
                if sender and sender.count('@') < 2 and sender[0] != '@':
                    expect(reply, 'auth', 'forbidden', sender)
        proxy.wait('reason=rules')


def nobody_may_by_default():
    with Stage(allow=None) as (proxy, _, link):
        expect(link.ask('get', QUERY, ROMEO, proxy.jid), 'auth', 'forbidden')
        # Nor may he activate what got there all the same.
        b, a = proxy.side('s'), proxy.side('s')
        expect(activate(link, proxy.jid, 's'), 'auth', 'forbidden')
        a.close(), b.close()


def rules_are_reloaded():
    """The next request goes by the new ones; what flows is not touched."""
    with Stage() as (proxy, _, link):
        pair = proxy.pair(link, 'kept')
        check('done' in proxy.reload(allow='other.net'), proxy.story())
        expect(link.ask('get', QUERY, ROMEO, proxy.jid), 'auth', 'forbidden')
        reply = link.ask('get', QUERY, 'a@other.net/x', proxy.jid)
        check(reply.get('type') == 'result', str(error_of(reply)))
        pair_goes_on(pair, 1)
        line = proxy.reload(pairing_timeout='soon')
        check('stays as it was' in line and ':' in line, line)
        reply = link.ask('get', QUERY, 'a@other.net/x', proxy.jid)
        check(reply.get('type') == 'result', 'a bad file was taken')
        line = proxy.reload(pairing_timeout='60', workers=1)
        proxy.wait('reload: workers stays as it was')


# --- quotas ------------------------------------------------------------------

def pairs_are_counted():
    with Stage(pairs_per_jid=2) as (proxy, _, link):
        pairs = [proxy.pair(link, f'p{i}') for i in range(2)]
        b, a = proxy.side('p2'), proxy.side('p2')
        expect(activate(link, proxy.jid, 'p2'), 'wait', 'resource-constraint')
        proxy.wait('reason=quota')
        other = 'mercutio@localhost/street'
        c = proxy.pair(link, 'p3', other)
        for sock in (*pairs[0], a, b):
            sock.close()
        proxy.await_metric('xferry_proxy_pairs{state="active"}', 2)
        d = proxy.pair(link, 'p4')
        for sock in (*pairs[1], *c, *d):
            sock.close()


def a_section_has_its_own():
    with Stage(pairs_per_jid=1,
               sections={'boss@localhost': {'pairs-per-jid': 3}}) \
            as (proxy, _, link):
        boss = 'boss@localhost/desk'
        pairs = [proxy.pair(link, f'p{i}', boss) for i in range(3)]
        pairs.append((proxy.side('p3', boss), proxy.side('p3', boss)))
        expect(activate(link, proxy.jid, 'p3', boss), 'wait',
               'resource-constraint')
        pairs.append(proxy.pair(link, 'r0'))
        pairs.append((proxy.side('r1'), proxy.side('r1')))
        expect(activate(link, proxy.jid, 'r1'), 'wait', 'resource-constraint')
        for a, b in pairs:
            a.close(), b.close()


def bytes_of_the_day():
    """Past its day's bytes a pair is ended, and the next not begun."""
    with Stage(bytes_per_day_per_jid='1M') as (proxy, _, link):
        a, b = proxy.pair(link, 'day')
        stop = time.monotonic() + 15
        a.settimeout(15)
        reader = threading.Thread(target=receive_all, args=(b,), daemon=True)
        reader.start()
        try:
            while time.monotonic() < stop:
                a.sendall(bytes(100_000))
                time.sleep(0.01)
            raise Unexpected('it goes on')
        except (ConnectionResetError, BrokenPipeError):
            pass
        check('reason=quota' in proxy.wait('seconds='), proxy.story())
        ends = proxy.side('next'), proxy.side('next')
        expect(activate(link, proxy.jid, 'next'), 'wait',
               'resource-constraint')
        for end in ends:
            end.close()


def rate(settings, pairs, due):
    """Bytes a second of `pairs` pairs of one JID, together."""
    with Stage(**settings) as (proxy, _, link):
        ends = [proxy.pair(link, f'rate{i}') for i in range(pairs)]
        seconds, got = 3, [0] * pairs

        def push(sock):
            try:
                while True:
                    sock.sendall(bytes(65536))
            except OSError:
                pass

        def pull(i, sock):
            end = time.monotonic() + seconds
            sock.settimeout(0.5)
            while time.monotonic() < end:
                try:
                    got[i] += len(sock.recv(65536))
                except TimeoutError:
                    pass

        pullers = []
        for i, (a, b) in enumerate(ends):
            threading.Thread(target=push, args=(a,), daemon=True).start()
            pullers.append(threading.Thread(target=pull, args=(i, b)))
            pullers[-1].start()
        for puller in pullers:
            puller.join()
        for a, b in ends:
            a.close(), b.close()
        mean = sum(got) / seconds
        # A busy machine may be slower; nothing makes it faster.
        check(0.3 * due <= mean <= 1.4 * due,
              f'{mean:.0f} bytes a second, not {due}: {got}')


# --- G06, G08, G09: activation -----------------------------------------------

def answers_to_activate():
    with Stage() as (proxy, _, link):
        def ask(payload, sender=ROMEO):
            return link.ask('set', payload, sender, proxy.jid)

        expect(activate(link, proxy.jid, 'nobody'), 'cancel',
               'item-not-found', 'unknown')
        b = proxy.side('one')
        expect(activate(link, proxy.jid, 'one'), 'cancel', 'not-allowed',
               'one side')
        a = proxy.side('one')
        expect(activate(link, proxy.jid, 'one', 'eve@localhost/x'), 'cancel',
               'item-not-found', 'another requester')
        expect(activate(link, proxy.jid, 'one', ROMEO, 'eve@localhost/x'),
               'cancel', 'item-not-found', 'another target')
        expect(ask(f'<query xmlns="{S5B}"><activate>{JULIET}</activate>'
                   '</query>'), 'modify', 'bad-request', 'no sid')
        expect(ask(f'<query xmlns="{S5B}" sid=""><activate>{JULIET}'
                   '</activate></query>'), 'modify', 'bad-request',
               'an empty sid')
        expect(ask(f'<query xmlns="{S5B}" sid="one"/>'), 'modify',
               'bad-request', 'no activate')
        for bad in ('', '@localhost', 'a b@localhost/x', 'localhost/',
                    'a@' + 'l' * 1100, 'x@y@z/u'):
            expect(ask(activation('one', bad)), 'modify', 'jid-malformed',
                   f'target {bad[:20]!r}')
        reply = activate(link, proxy.jid, 'one')
        activated(reply)
        check(reply.get('to') == ROMEO and reply.get('from') == proxy.jid and
              len(reply) == 0, 'not an empty result to the requester')
        pair_goes_on((a, b), 1)
        a.close(), b.close()


def activated_twice():
    with Stage(log_jids='full') as (proxy, _, link):
        a, b = proxy.pair(link, 'twice')
        pair_goes_on((a, b), 1)
        activated(activate(link, proxy.jid, 'twice'))
        expect(activate(link, proxy.jid, 'twice', 'romeo@localhost/window'),
               'cancel', 'item-not-found', 'another resource')
        pair_goes_on((a, b), 2)
        a.close(), b.close()
        line = proxy.wait('seconds=')
        check('400000' in line, line)
        proxy.await_metric('xferry_proxy_pairs{state="active"}', 0)
        expect(activate(link, proxy.jid, 'twice'), 'cancel', 'item-not-found',
               'after the end')
        check(proxy.metrics()['xferry_proxy_pairs_activated_total'] == 1,
              'counted twice')


def activation_overtakes():
    """It comes by another way than the second connection, and may be there
    before that one's reply is written: nothing is refused or lost."""
    rounds = 10_000 if ALL else 400
    with Stage(pairs_per_jid=0, log_level='info') as (proxy, _, link):
        for i in range(rounds):
            sid = f'race{i}'
            b = proxy.side(sid)
            a = proxy.connect()
            a.sendall(b'\5\1\0')
            receive_exactly(a, 2)
            words = request(dstaddr(sid)) + b'at once'
            number = f'n{i}'
            iq = (f'<iq type="set" id="{number}" from="{ROMEO}" '
                  f'to="{proxy.jid}">{activation(sid, JULIET)}</iq>')
            if i % 2:
                link.send(iq)
                a.sendall(words)
            else:
                a.sendall(words)
                link.send(iq)
            activated(link.wait(lambda s, n=number: s.get('id') == n))
            receive_exactly(a, 47)
            a.close()
            check(receive_all(b) == b'at once', f'round {i}')
            b.close()


# --- G11, G12, G14: what else is asked ---------------------------------------

def disco():
    with Stage() as (proxy, _, link):
        reply = link.ask('get', f'<query xmlns="{INFO}"/>', ROMEO, proxy.jid)
        found = [(one.get('category'), one.get('type'))
                 for one in reply.iter(f'{{{INFO}}}identity')]
        check(found == [('proxy', 'bytestreams')], str(found))
        features = sorted(one.get('var')
                          for one in reply.iter(f'{{{INFO}}}feature'))
        check({INFO, S5B} <= set(features), str(features))
        # Only what it has: each is answered, and not by "no such service".
        asked = {INFO: ('query', INFO), ITEMS: ('query', ITEMS),
                 S5B: ('query', S5B),
                 'urn:xmpp:ping': ('ping', 'urn:xmpp:ping'),
                 'jabber:iq:version': ('query', 'jabber:iq:version')}
        for feature in features:
            check(feature in asked, f'what is {feature}?')
            name, space = asked[feature]
            reply = link.ask('get', f'<{name} xmlns="{space}"/>', ROMEO,
                             proxy.jid)
            check(reply.get('type') == 'result', feature)
        reply = link.ask('get', f'<query xmlns="{ITEMS}"/>', ROMEO, proxy.jid)
        check(reply.get('type') == 'result' and
              len(reply.find(f'{{{ITEMS}}}query')) == 0, 'it has items')
        for space in (INFO, ITEMS):
            expect(link.ask('get', f'<query xmlns="{space}" node="x"/>',
                            ROMEO, proxy.jid), 'cancel', 'item-not-found',
                   f'a node of {space}')


def anything_else():
    with Stage() as (proxy, _, link):
        link.quiet(0.2)
        for kind in ('get', 'set'):
            expect(link.ask(kind, '<query xmlns="jabber:iq:private"/>', ROMEO,
                            proxy.jid), 'cancel', 'service-unavailable', kind)
            expect(link.ask(kind, f'<query xmlns="{S5B}"/>', ROMEO,
                            f'bot@{proxy.jid}'), 'cancel',
                   'service-unavailable', 'a user of it')
        for words in (
                f'<message from="{ROMEO}" to="{proxy.jid}"><body>hi</body>'
                '</message>',
                f'<presence from="{ROMEO}" to="{proxy.jid}"/>',
                f'<presence from="{ROMEO}" to="{proxy.jid}" '
                'type="subscribe"/>',
                f'<presence from="{ROMEO}" to="{proxy.jid}" type="probe"/>',
                f'<iq type="result" id="x1" from="{ROMEO}" '
                f'to="{proxy.jid}"/>',
                f'<iq type="error" id="x2" from="{ROMEO}" to="{proxy.jid}">'
                f'{QUERY}<error type="cancel"/></iq>',
                f'<message type="error" from="{ROMEO}" to="{proxy.jid}"/>'):
            link.send(words)
        link.quiet()
        reply = link.ask('get', QUERY, ROMEO, proxy.jid)
        check(reply.get('type') == 'result', 'it is confused')


def addresses(told, due):
    """From the configuration, whatever is said to it."""
    with Stage(advertise=told) as (proxy, _, link):
        reply = link.ask(
            'get', f'<query xmlns="{S5B}"><streamhost jid="evil@localhost/x" '
            'host="203.0.113.9" port="1"/></query>', ROMEO, proxy.jid)
        hosts = [(one.get('jid'), one.get('host'), one.get('port'))
                 for one in reply.iter(f'{{{S5B}}}streamhost')]
        wanted = [(proxy.jid, host, str(port or proxy.port))
                  for host, port in due]
        check(hosts == wanted, f'{hosts}, not {wanted}')
        check(reply.find(f'{{{S5B}}}query').get('sid') is None, 'a sid')
        proxy.reload(advertise='proxy2.example.net:99')
        reply = link.ask('get', QUERY, ROMEO, proxy.jid)
        hosts = [(one.get('host'), one.get('port'))
                 for one in reply.iter(f'{{{S5B}}}streamhost')]
        check(hosts == [('proxy2.example.net', '99')], str(hosts))


# --- G16: the secret ---------------------------------------------------------

def memory_of(pid):
    """What stands in the writable memory of a process."""
    found = []
    with open(f'/proc/{pid}/maps') as maps, \
            open(f'/proc/{pid}/mem', 'rb', 0) as mem:
        for line in maps:
            span, rights = line.split()[:2]
            if 'w' not in rights or '[vvar' in line:
                continue
            low, high = (int(word, 16) for word in span.split('-'))
            if high - low > 1 << 28:
                continue  # a sanitizer's shadow
            try:
                mem.seek(low)
                found.append(mem.read(high - low))
            except OSError:
                continue
    return b''.join(found)


def secret_is_kept():
    secret = 'v3ry-s3cret-b3tween-us'
    server = ComponentServer(secret=secret)
    try:
        # The kernel gives the files of a process that may not be dumped to
        # root, whoever runs it: proc(5). So root's are looked at as nobody's.
        with Proxy(server.address, secret=secret,
                   user=65534 if os.geteuid() == 0 else None) as proxy:
            server.link()
            for pid in proxy.everyone():
                for name in ('cmdline', 'environ'):
                    text = Path(f'/proc/{pid}/{name}').read_bytes()
                    check(secret.encode() not in text, f'in {name}')
                limits = Path(f'/proc/{pid}/limits').read_text()
                core = [line for line in limits.splitlines()
                        if line.startswith('Max core')][0].split()
                check(core[4:6] == ['0', '0'], f'core size {core}')
                owner = os.stat(f'/proc/{pid}/environ').st_uid
                check(owner == 0, f'{pid} may be dumped')
            check(secret not in proxy.story(), 'in the log')
            proxy.reload()
            check(secret not in proxy.story(), 'in the log')
            for pid in proxy.workers():
                check(secret.encode() not in memory_of(pid),
                      'a worker has it')
            page = '\n'.join(f'{k} {v}' for k, v in proxy.metrics().items())
            check(secret not in page, 'in the metrics')
    finally:
        server.shut()


def secret_file_of_others():
    server = ComponentServer()
    try:
        proxy = Proxy(server.address, ready=False)
        proxy.start, start = (lambda: None), proxy.start
        with proxy:
            secret = proxy.folder / 'secret'
            for mode in (0o640, 0o604, 0o660, 0o601):
                secret.chmod(mode)
                start()
                check(proxy.code() == E_PERM, f'mode {mode:o}: '
                      f'{proxy.process.returncode}')
                check('chmod 600' in proxy.story(), proxy.story())
            secret.chmod(0o600)
            link = proxy.folder / 'link'
            link.symlink_to(secret)
            proxy.write(secret_file=link)
            start()
            check(proxy.code() == E_PERM, proxy.story())
            proxy.write(secret_file=proxy.folder / 'none')
            start()
            check(proxy.code() == 51, proxy.story())
            proxy.write(secret_file=secret)
            secret.write_text('\n')
            start()
            check(proxy.code() == E_USAGE, proxy.story())
            check(not server.attempts, 'it connected')
    finally:
        server.shut()


def secret_by_descriptor():
    with Stage(ready=False) as (proxy, server, _):
        proxy.kill()
        proxy.write(secret_file=None)
        read, write = os.pipe()
        os.write(write, SECRET.encode() + b'\n')
        os.close(write)
        process = subprocess.Popen(
            [exe(), '--config', proxy.conf, '--secret-fd', str(read)],
            pass_fds=[read], stderr=subprocess.DEVNULL)
        os.close(read)
        try:
            server.link(len(server._links) + 1)
        finally:
            process.kill()
            process.wait()


# --- the settings -------------------------------------------------------------

def run_check(proxy, *words):
    done = subprocess.run([exe(), '--config', proxy.conf, '--check', *words],
                          capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout, done.stderr


def check_tells():
    """Each mistake with its file and line, and what is right with its
    meaning."""
    proxy = Proxy('127.0.0.1:5347', ready=False)
    proxy.start = lambda: None
    with proxy:
        code, out, err = run_check(proxy)
        check(code == 0 and not err, err)
        for words in ('component = proxy.localhost', 'pairing-timeout = 60 s',
                      'handshake-timeout = 10 s', 'drain-timeout = 30 s',
                      'default; ', ':1; ', 'the settings are right'):
            check(words in out, f'no "{words}" in\n{out}')
        code, out, _ = run_check(proxy, '--pairing-timeout', '2m')
        check('pairing-timeout = 120 s    # option' in out, out)
        good = proxy.conf.read_text()
        line = good.count('\n') + 1
        for words, due in (
                ('nonsense', 'key = value'),
                ('pear = 1', 'no key `pear`'),
                ('secret-fd = 3', 'no key `secret-fd`'),
                ('pairs = 0', 'from 1 to'),
                ('pairs = many', 'from 1 to'),
                ('pairing-timeout = 1d', 'seconds'),
                ('rate-per-pair = 1X', 'bytes'),
                ('log-jids = none', 'one of short|full'),
                ('component = x', 'already'),
                ('allow = a@b@c', ''),
                ('deny = @x', ''),
                ('connect-from = 10.0.0.0/33', ''),
                ('listen = 127.0.0.1', 'port'),
                ('listen = example.net:99', ''),
                ('advertise = [::1', ''),
                ('[x]\nlisten = 1.2.3.4:5', 'section'),
                ('[@x]', ''),
                ('[x\n', '[JID]')):
            proxy.conf.write_text(good + words + '\n')
            at = line + (1 if '\nlisten' in words else 0)
            code, _, err = run_check(proxy)
            check(code == E_USAGE, f'{words}: exit {code}')
            check(f'{proxy.conf}:{at}: ' in err and due in err,
                  f'{words!r}: {err}')
        proxy.conf.write_text(good.replace('metrics = unix:',
                                           'metrics = 192.0.2.1:9 #'))
        code, _, err = run_check(proxy)
        check(code == E_USAGE and 'loopback' in err, err)
        proxy.conf.write_text(good)
        code, _, err = run_check(proxy, '--server', '192.0.2.1:5347')
        check(code == E_USAGE and '--server' in err, err)
        code, _, err = run_check(proxy, '--server', '192.0.2.1:5347',
                                 '--server-remote', 'yes')
        check(code == 0, err)


def sample_is_right():
    """It is what is installed: it names every key, and lets in one domain."""
    sample = Path(__file__).resolve().parents[2] / 'proxyd' / \
        'xferry-proxy.conf'
    proxy = Proxy('127.0.0.1:5347', ready=False)
    proxy.start = lambda: None
    with proxy:
        text = sample.read_text().replace(
            '/etc/xferry-proxy.secret', str(proxy.folder / 'secret'))
        proxy.conf.write_text(text)
        code, out, err = run_check(proxy)
        check(code == 0, err)
        allowed = [line for line in out.splitlines()
                   if line.startswith('allow = ')]
        check(len(allowed) == 1 and 'example.net ' in allowed[0],
              str(allowed))
        help_text = subprocess.run([exe(), '--help'], capture_output=True,
                                   text=True).stdout
        keys = [line.split()[0][2:] for line in help_text.splitlines()
                if line.startswith('  --') and ', ' not in line]
        manual = (sample.parent.parent / 'man' /
                  'xferry-proxy.1.scd').read_text()
        for key in keys:
            if key in ('check', 'secret-fd'):
                continue
            check(f'\n{key} = ' in text or f'\n#{key} = ' in text,
                  f'the sample does not tell of {key}')
            check(f'*{key}*' in manual, f'the manual does not tell of {key}')


# --- metrics and systemd -------------------------------------------------------

def numbers_are_told():
    port = free_port()
    with Stage(metrics=f'127.0.0.1:{port}') as (proxy, _, link):
        page = http(f'127.0.0.1:{port}')
        numbers = parse_metrics(page)
        check(numbers['xferry_proxy_component_up'] == 1, page)
        check(numbers['xferry_proxy_workers'] == 2, page)
        a, b = proxy.pair(link, 'm')
        one = proxy.side('waiting')
        numbers = parse_metrics(http(f'127.0.0.1:{port}'))
        check(numbers['xferry_proxy_pairs{state="active"}'] == 1, page)
        check(numbers['xferry_proxy_pairs{state="waiting_one"}'] == 1, page)
        check(numbers['xferry_proxy_pairing_seconds_count'] == 1, page)
        data = pattern(100_000)
        a.sendall(data)
        a.close()
        receive_all(b)
        b.close()
        proxy.wait('seconds=')
        one.close()
        numbers = parse_metrics(http(f'127.0.0.1:{port}'))
        check(numbers['xferry_proxy_bytes_total'] == 100_000, str(numbers))
        check(numbers['xferry_proxy_pairs_ended_total{reason="done"}'] == 1,
              str(numbers))
        buckets = [v for k, v in numbers.items() if '_bucket' in k]
        check(buckets == sorted(buckets) and buckets[-1] == 1, str(buckets))
        # Each family has a type and a help, and the dashboard asks for no
        # other.
        families = {line.split()[2] for line in page.splitlines()
                    if line.startswith('# TYPE')}
        for name in numbers:
            base = name.split('{')[0]
            for tail in ('_bucket', '_sum', '_count'):
                if base.endswith('pairing_seconds' + tail):
                    base = base[:-len(tail)]
            check(base in families, f'{name} has no type')
        board = Path(__file__).resolve().parents[2] / 'proxyd' / \
            'xferry-proxy.grafana.json'
        asked = set()
        for panel in json.loads(board.read_text())['panels']:
            for target in panel.get('targets', []):
                asked |= set(re.findall(r'xferry_proxy_\w+',
                                        target['expr']))
        known = {name.split('{')[0] for name in numbers} | families
        check(asked and asked <= known, f'{asked - known} is not told')
        # Other requests get an answer, too, and a silent one is dropped.
        for words, due in ((b'GET / HTTP/1.0\r\n\r\n', b'404'),
                           (b'POST /metrics HTTP/1.0\r\n\r\n', b'405'),
                           (b'x' * 5000, b'')):
            with socket.create_connection(('127.0.0.1', port), 10) as sock:
                sock.sendall(words)
                got = receive_all(sock) or b''
                check(due in got[:16], f'{words[:20]!r}: {got[:60]!r}')


def systemd_is_told():
    """READY once the server has answered, a petted watchdog, STOPPING."""
    with tempfile.TemporaryDirectory() as folder, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f'{folder}/notify')
        sock.settimeout(10)
        heard = []

        def until(word):
            while not any(word in one for one in heard):
                heard.append(sock.recv(4096).decode())

        with Stage(env={'NOTIFY_SOCKET': f'{folder}/notify',
                        'WATCHDOG_USEC': '1000000'}) as (proxy, _, link):
            until('READY=1')
            until('STATUS=online')
            heard.clear()
            until('WATCHDOG=1')
            proxy.reload()
            until('RELOADING=1')
            heard.clear()
            until('READY=1')
            pair = proxy.pair(link, 's')
            proxy.signal(signal.SIGTERM)
            until('STOPPING=1')
            for end in pair:
                end.close()
            check(proxy.code() == 0, proxy.story())


def worker_dies():
    """Its pairs are lost and said to be; the others go on; there is a new
    one."""
    with Stage(pairs_per_jid=0, workers=2) as (proxy, _, link):
        pairs = [proxy.pair(link, f'w{i}', f'user{i}@localhost/x')
                 for i in range(8)]
        first = proxy.workers()[0]
        os.kill(first, signal.SIGKILL)
        proxy.wait('died and was replaced')
        lost = 0
        for a, b in pairs:
            try:
                a.sendall(b'still')
                got = b.recv(5)
            except (ConnectionResetError, BrokenPipeError):
                got = b''
            lost += got != b'still'
        check(lost == 4, f'{lost} of 8 lost')
        proxy.wait('reason=lost', count=4)
        end = time.monotonic() + 5
        while len(proxy.workers()) != 2:
            check(time.monotonic() < end, 'there is no new one')
            time.sleep(0.05)
        check(first not in proxy.workers(), str(proxy.workers()))
        for i in range(8):
            pair_goes_on(proxy.pair(link, f'v{i}', f'user{i}@localhost/x'), i)
        check(proxy.metrics()['xferry_proxy_workers_died_total'] == 1,
              'not counted')


def main():
    on_sigterm()
    cases = Cases()
    add = cases.add
    # First what takes longest.
    add('a handshake without an answer at first ends it',
        handshake_without_answer)
    for mode in ('conflict', 'host-unknown'):
        add(f'{mode} at first ends it', refused_at_first, mode)
    add('a wrong secret at first ends it', wrong_secret_at_first)
    for mode in ('not-authorized', 'conflict', 'host-unknown', 'closed'):
        add(f'{mode} later is tried again, and pairs go on', refused_later,
            mode)
    add('the server may come later', server_comes_later)
    add('the server is restarted, and nothing is lost', server_is_restarted)
    add('only who is allowed may ask', who_may_ask)
    add('nobody may by default', nobody_may_by_default)
    add('rules are reloaded', rules_are_reloaded)
    add('pairs of a JID are counted', pairs_are_counted)
    add('a section has limits of its own', a_section_has_its_own)
    add('bytes of a day are counted', bytes_of_the_day)
    add('a pair has its rate', rate, {'rate_per_pair': '512k'}, 1, 512 << 10)
    add('the pairs of a JID have a rate together', rate,
        {'rate_per_jid': '512k'}, 3, 512 << 10)
    add('each wrong activation gets its answer', answers_to_activate)
    add('activating twice is once', activated_twice)
    add('an activation may overtake', activation_overtakes)
    add('it says what it is and no more', disco)
    add('anything else gets its answer or none', anything_else)
    for told, due in (
            ('192.0.2.7', [('192.0.2.7', None)]),
            (['proxy.example.net:7777', '192.0.2.7:80',
              '[2001:db8::7]:7778', '[2001:db8::8]'],
             [('proxy.example.net', 7777), ('192.0.2.7', 80),
              ('2001:db8::7', 7778), ('2001:db8::8', None)])):
        add(f'addresses come from the configuration: {len(due)}', addresses,
            told, due)
    add('the secret is nowhere to be read', secret_is_kept)
    add('a secret others may read is not taken', secret_file_of_others)
    add('the secret may come by a descriptor', secret_by_descriptor)
    add('--check tells what is wrong and where', check_tells)
    add('the sample file is right and whole', sample_is_right)
    add('its numbers can be read', numbers_are_told)
    add('systemd is told', systemd_is_told)
    add('a worker that dies is replaced', worker_dies)
    only = None if ALL else (sys.argv[1:] or [None])[0]
    return 1 if cases.run(only=only, workers=4) else 0


if __name__ == '__main__':
    sys.exit(main())
