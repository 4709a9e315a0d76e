"""The proxy's SOCKS5 side, byte by byte, and what it does with pairs: what is
sent early, ends that come one by one, strangers who waste its time.

    proxy_socks.py [PART OF A NAME | all]
"""

import hashlib
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

import ferry  # noqa: E402
from cases import Cases  # noqa: E402
from component import ComponentServer  # noqa: E402
from ferry import Unexpected  # noqa: E402
from server import free_port, on_sigterm  # noqa: E402
from xproxy import (  # noqa: E402
    JULIET, ROMEO, Proxy, activate, activated, dstaddr, handshake, pattern,
    receive_all, receive_exactly, request, reset)

ALL = sys.argv[1:2] == ['all']
HASH = hashlib.sha1(b'nobody').hexdigest().encode()
GREETING = b'\5\1\0'


class Stage:
    """A proxy and the server it belongs to."""

    def __init__(self, **settings):
        self.server = ComponentServer()
        self.proxy = Proxy(self.server.address, **settings)

    def __enter__(self):
        try:
            self.proxy.__enter__()
        except BaseException:
            self.server.shut()
            raise
        self.link = self.server.link()
        return self.proxy, self.link

    def __exit__(self, *what):
        self.proxy.__exit__(*what)
        self.server.shut()


def check(holds, words):
    if not holds:
        raise Unexpected(words)


# --- F01, F04, F05: the table of what a byte may be -------------------------

def refusal(rep):
    return bytes([5, rep, 0, 1]) + bytes(6)


CLOSED, FF = b'', b'\5\xff'
FAILURE, COMMAND, ADDRESS = (refusal(rep) for rep in (1, 7, 8))

GREETINGS = [
    # sent, answered; then it closes, unless the answer is that it goes on
    *[(bytes([version, 1, 0]), CLOSED) for version in (0, 1, 4, 6, 255)],
    (b'\5\0', FF),
    (b'\5\1\1', FF), (b'\5\1\2', FF), (b'\5\1\xff', FF),
    (b'\5\2\1\2', FF),
    (b'\5\xff' + bytes(range(1, 256)), FF),
]
WELCOME = [b'\5\1\0', b'\5\2\0\2', b'\5\2\2\0',
           b'\5\xff' + bytes(range(255)), b'\5\xff' + bytes(255)]


def changed(index, *values):
    """The request with one byte put otherwise."""
    whole = bytearray(request(HASH))
    return [bytes(whole[:index] + bytes([value]) + whole[index + 1:])
            for value in values]


REQUESTS = [
    *[(words, CLOSED) for words in changed(0, 0, 1, 4, 6, 255)],
    *[(words, COMMAND) for words in changed(1, 0, 2, 3, 4, 255)],
    *[(words, FAILURE) for words in changed(2, 1, 5, 255)],
    *[(words, ADDRESS) for words in changed(3, 0, 1, 2, 4, 5, 255)],
    *[(request(b'a' * length), FAILURE)
      for length in (0, 1, 39, 41, 128, 255)],
    # Not one that is hexadecimal, at either end of the hash.
    *[(words, FAILURE) for index in (5, 44)
      for words in changed(index, 0, 9, 10, 27, *b' /:@G`g\x7f', 128, 255)],
    (request('é'.encode() * 20), FAILURE),
    (request(bytes(40)), FAILURE),
    *[(words, FAILURE) for index in (45, 46)
      for words in changed(index, 1, 80, 255)],
]


def told(proxy, words, after_greeting):
    with proxy.connect() as sock:
        if after_greeting:
            sock.sendall(GREETING)
            check(receive_exactly(sock, 2) == b'\5\0', 'not greeted')
        sock.sendall(words)
        return receive_all(sock) or b''


def boundary_bytes():
    with Stage() as (proxy, _):
        for words, due in GREETINGS:
            got = told(proxy, words, False)
            check(got == due, f'{words[:8]!r}: {got!r}, not {due!r}')
        for words, due in REQUESTS:
            got = told(proxy, words, True)
            check(got == due, f'{words!r}: {got!r}, not {due!r}')
        for words in WELCOME:
            with proxy.connect() as sock:
                sock.sendall(words)
                check(receive_exactly(sock, 2) == b'\5\0', repr(words[:8]))
        print(f'# {len(GREETINGS) + len(REQUESTS) + len(WELCOME)} compared',
              file=sys.stderr)


def no_descriptor_is_lost():
    count = 10_000 if ALL else 1_000
    lengths = (0, 39, 41, 128, 255)
    with Stage() as (proxy, _):
        told(proxy, request(b'a' * 39), True)
        before = proxy.descriptors()
        for i in range(count):
            got = told(proxy, request(b'a' * lengths[i % 5]), True)
            check(got == FAILURE, repr(got))
        end = time.monotonic() + 5
        while proxy.descriptors() != before and time.monotonic() < end:
            time.sleep(0.05)
        check(proxy.descriptors() == before,
              f'{proxy.descriptors()} descriptors, {before} before')


def case_is_not_folded():
    """It is another hash, and nobody activates that."""
    with Stage() as (proxy, link):
        address = dstaddr('folded')
        a, b = proxy.join(address.upper()), proxy.join(address.upper())
        reply = activate(link, proxy.jid, 'folded')
        check(reply.get('type') == 'error', 'activated')
        a.close(), b.close()


# --- F02, F03: however TCP cuts it ------------------------------------------

def in_pieces(proxy, address, pieces, pause=0.001):
    sock = proxy.connect()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces:
        sock.sendall(piece)
        time.sleep(pause)
    due = b'\5\0' + b'\5\0\0' + request(address)[3:]
    got = receive_exactly(sock, len(due))
    check(got == due, f'{got!r} for {pieces}')
    return sock


def every_cut():
    """A pair each: the side that is cut, and one that is not."""
    address = dstaddr('cut')
    whole = GREETING + request(address)
    cuts = [[whole[:i], whole[i:]] for i in range(1, len(whole))]
    cuts += [[whole[i:i + 1] for i in range(len(whole))]]
    cuts += [[GREETING[:i], GREETING[i:], request(address)] for i in (1, 2)]
    cuts += [[GREETING, request(address)[:i], request(address)[i:]]
             for i in range(1, 47)]
    with Stage() as (proxy, link):
        for number, pieces in enumerate(cuts):
            b = in_pieces(proxy, address, pieces)
            a = proxy.join(address)
            activated(activate(link, proxy.jid, 'cut'))
            a.sendall(b'%d' % number)
            a.close()
            got = receive_all(b)
            check(got == b'%d' % number, f'{got!r} after {pieces}')
            b.close()
            proxy.await_metric('xferry_proxy_pairs{state="active"}', 0)
        print(f'# {len(cuts)} cuts', file=sys.stderr)


def all_in_one_segment():
    """Greeting, request and the file, before anything is answered."""
    with Stage() as (proxy, link):
        for sid, size in (('one', 1), ('small', 597), ('more', 20_000)):
            address, data = dstaddr(sid), pattern(size)
            b = proxy.join(address)
            a = in_pieces(proxy, address, [GREETING + request(address) + data])
            a.shutdown(socket.SHUT_WR)
            activated(activate(link, proxy.jid, sid))
            check(receive_all(b) == data, f'other bytes than the {size}')
            a.close(), b.close()


# --- F07, F08: who takes his time -------------------------------------------

def never_activated(sides):
    with Stage(pairing_timeout=3) as (proxy, _):
        begun = time.monotonic()
        socks = [proxy.side('never') for _ in range(sides)]
        for sock in socks:
            check(receive_all(sock) in (b'', None), 'it says something')
        took = time.monotonic() - begun
        check(2 <= took <= 4, f'closed after {took:.1f} s, not 3')
        proxy.wait('reason=not-activated')
        proxy.await_metric('xferry_proxy_pairs{state="waiting_two"}', 0)
        proxy.await_metric('xferry_proxy_pairs{state="waiting_one"}', 0)


def slow_loris(words, every):
    """The whole handshake has a time, not each byte of it."""
    with Stage(handshake_timeout=3) as (proxy, _):
        begun = time.monotonic()
        sock = proxy.connect()
        sent = 0
        try:
            while time.monotonic() - begun < 6:
                if every:
                    sock.sendall(words[sent:sent + 1])
                    sent += 1
                elif not sent:
                    sock.sendall(words)
                    sent = len(words) or 1
                sock.settimeout(every or 6)
                try:
                    while sock.recv(64):
                        pass
                    break
                except socket.timeout:
                    continue
        except (ConnectionResetError, BrokenPipeError):
            pass
        took = time.monotonic() - begun
        check(2 <= took <= 4, f'closed after {took:.1f} s, not 3')
        proxy.wait('reason=time')


# --- F10: early data --------------------------------------------------------

def early_files():
    """What libpurple and gloox do: the file and its end come before the
    activation. Whole, each of them."""
    count = 1_000 if ALL else 150
    with Stage(pairs_per_jid=0) as (proxy, link):
        for i in range(count):
            sid, data = f'early{i}', pattern(597, i + 1)
            b = proxy.side(sid)
            a = proxy.side(sid, early=data)
            a.shutdown(socket.SHUT_WR)
            if i % 3 == 0:
                a.close()
            activated(activate(link, proxy.jid, sid))
            got = receive_all(b)
            check(got == data, f'{i}: {len(got or b"")} bytes of 597')
            a.close(), b.close()
        print(f'# {count} of {count} whole', file=sys.stderr)


def rss_kib(pid):
    for line in Path(f'/proc/{pid}/status').read_text().splitlines():
        if line.startswith('VmRSS:'):
            return int(line.split()[1])
    return 0


def early_data_is_not_read():
    """The kernel holds it, and no more than it will: 16 senders who push what
    goes, for a second."""
    with Stage() as (proxy, link):
        ends = [(proxy.side(f'early{i}'), proxy.side(f'early{i}'))
                for i in range(16)]
        before = max(map(rss_kib, proxy.everyone()))
        data = pattern(16 << 20)
        sent = []
        for _, a in ends:
            a.setblocking(False)
            sent.append(0)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            for i, (_, a) in enumerate(ends):
                try:
                    sent[i] += a.send(data[sent[i]:sent[i] + (1 << 20)])
                except BlockingIOError:
                    pass
            time.sleep(0.01)
        grown = max(map(rss_kib, proxy.everyone())) - before
        check(max(sent) < len(data), 'it read it')
        check(grown < 1024, f'{grown} KiB more for {sum(sent)} bytes')
        for i, (b, a) in enumerate(ends):
            activated(activate(link, proxy.jid, f'early{i}'))
            a.setblocking(True)
            a.shutdown(socket.SHUT_WR)
            got = receive_all(b)
            check(got == data[:sent[i]], f'{len(got)} of {sent[i]} bytes')
            a.close(), b.close()


# --- F11: ends --------------------------------------------------------------

def half_close(first):
    """One end finishes; the other goes on in the other direction."""
    with Stage() as (proxy, link):
        ends = proxy.pair(link, 'half')
        one, two = ends if first == 'requester' else ends[::-1]
        data, answer = pattern(300_000, 1), pattern(500_000, 2)
        for sender, words, taker in ((one, data, two), (two, answer, one)):
            # How much the kernel takes before it is read nobody knows.
            thread = threading.Thread(target=sender.sendall, args=(words,))
            thread.start()
            check(receive_exactly(taker, len(words)) == words, 'other bytes')
            thread.join()
            sender.shutdown(socket.SHUT_WR)
            check(receive_all(taker) == b'', 'more than was sent')
            time.sleep(0.2)
        line = proxy.wait('pair id=')
        line = proxy.wait('seconds=')
        check('reason=done' in line and '300000' in line and
              '500000' in line, line)


def a_reset_is_passed_on(first):
    with Stage() as (proxy, link):
        ends = proxy.pair(link, 'reset')
        one, two = ends if first == 'requester' else ends[::-1]
        data = pattern(100_000)
        one.sendall(data)
        check(receive_exactly(two, len(data)) == data, 'not what was sent')
        reset(one)
        check(receive_all(two) is None, 'an end in good order')
        check('reason=reset' in proxy.wait('seconds='), proxy.story())


def both_at_once():
    with Stage() as (proxy, link):
        for number in range(20):
            a, b = proxy.pair(link, f'both{number}')
            data = [pattern(10_000, 1), pattern(12_000, 2)]
            for sock, mine in zip((a, b), data):
                sock.sendall(mine)
            for sock in (a, b):
                sock.shutdown(socket.SHUT_WR)
            check([receive_all(b), receive_all(a)] == data, 'other bytes')
        proxy.wait('reason=done', count=20)


# --- caps -------------------------------------------------------------------

def turned_away(proxy, reason):
    with proxy.connect() as sock:
        check(receive_all(sock) in (b'', None), 'it answers')
    proxy.wait(f'reason={reason}')


def handshakes_of_one_are_capped():
    """Those under way; who has finished his is none of them."""
    with Stage(half_open_per_address=3) as (proxy, _):
        done = proxy.side('done')
        slow = [proxy.connect() for _ in range(3)]
        time.sleep(0.3)
        turned_away(proxy, 'address')
        slow.pop().close()
        time.sleep(0.3)
        proxy.side('again').close()
        for sock in (done, *slow):
            sock.close()


def handshakes_in_all_are_capped():
    """Who has waited longest makes room: an honest one is done at once."""
    with Stage(half_open=3) as (proxy, _):
        slow = [proxy.connect() for _ in range(3)]
        time.sleep(0.3)
        proxy.side('honest').close()
        check(receive_all(slow.pop(0)) in (b'', None), 'it answers')
        proxy.wait('reason=crowd')
        time.sleep(0.3)
        for sock in slow:
            sock.sendall(GREETING)
            check(receive_exactly(sock, 2) == b'\5\0', 'not greeted')
            sock.close()


def connections_are_capped():
    with Stage(connections_per_address=3) as (proxy, link):
        ends = proxy.pair(link, 'two')
        third = proxy.side('three')
        turned_away(proxy, 'address')
        for sock in (*ends, third):
            sock.close()
        proxy.wait('seconds=')
        time.sleep(0.2)
        for sock in proxy.pair(link, 'after'):
            sock.close()


def pairs_are_capped():
    with Stage(pairs=2) as (proxy, link):
        ends = proxy.pair(link, 'one')
        waiting = proxy.side('two')
        with proxy.connect() as sock:
            sock.sendall(GREETING)
            receive_exactly(sock, 2)
            sock.sendall(request(dstaddr('three')))
            got = receive_all(sock)
            check(got and got[:2] == b'\5\1', repr(got))
        proxy.wait('reason=pairs')
        second = proxy.side('two')
        activated(activate(link, proxy.jid, 'two'))
        for sock in (*ends, waiting, second):
            sock.close()


def idle_ones_end():
    """Without a byte for so long; a byte begins it anew."""
    with Stage(idle_timeout=2) as (proxy, link):
        a, b = proxy.pair(link, 'idle')
        begun = time.monotonic()
        for _ in range(3):
            time.sleep(1)
            a.sendall(b'x')
            receive_exactly(b, 1)
        receive_all(b), receive_all(a)
        took = time.monotonic() - begun
        check(4.5 <= took <= 8, f'ended after {took:.1f} s')
        check('reason=idle' in proxy.wait('seconds='), proxy.story())
        a.close(), b.close()


def both_families():
    """One side by IPv4, the other by IPv6."""
    v4, v6 = free_port(), free_port()
    with Stage(listen=[f'127.0.0.1:{v4}', f'[::1]:{v6}']) as (proxy, link):
        ends = []
        for host, port in (('127.0.0.1', v4), ('::1', v6)):
            ends.append(socket.create_connection((host, port), 5))
            handshake(ends[-1], dstaddr('both'))
        activated(activate(link, proxy.jid, 'both'))
        ends[0].sendall(b'across')
        ends[0].close()
        check(receive_all(ends[1]) == b'across', 'nothing comes')
        ends[1].close()


# --- F13: who is gone without a word ----------------------------------------

def is_watched():
    """The kernel asks for a sign of life; that it gives up in time is what
    proxy_silence.py waits for."""
    with Stage() as (proxy, link):
        a, b = proxy.pair(link, 'watched')
        end = time.monotonic() + 5
        while True:
            table = os.popen(f'ss -Hton "sport = :{proxy.port}"').read()
            if table.count('timer:(keepalive') == 2:
                break
            # What was just sent has a timer of its own until it is acked.
            check(time.monotonic() < end, table)
            time.sleep(0.1)
        a.close(), b.close()


# --- F14: no descriptors left -----------------------------------------------

def descriptors_run_out(limit):
    with Stage(limit=limit, half_open=100000, handshake_timeout=60) \
            as (proxy, link):
        a, b = proxy.pair(link, 'goes on')
        crowd = []
        try:
            # More than it can take; the kernel's queue holds the rest.
            for _ in range(limit + 50):
                crowd.append(proxy.connect())
            proxy.wait('reason=descriptors')
            cpu, begun = proxy.cpu_s(), time.monotonic()
            data = pattern(4 << 20)
            sender = threading.Thread(target=a.sendall, args=(data,))
            sender.start()
            check(receive_exactly(b, len(data)) == data, 'other bytes')
            sender.join()
            moved = proxy.cpu_s() - cpu
            time.sleep(max(0, 3 - (time.monotonic() - begun)))
            took = time.monotonic() - begun
            used = proxy.cpu_s() - cpu - moved
            check(used < 0.05 * took, f'{used:.2f} s CPU in {took:.1f} s')
            lines = proxy.find('reason=descriptors')
            check(len(lines) == 1, '\n'.join(lines))
        finally:
            for sock in crowd:
                sock.close()
        # And when they have left there is room again.
        end = time.monotonic() + 10
        while True:
            try:
                c, d = proxy.pair(link, 'after')
                break
            except (OSError, Unexpected):
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)
        c.sendall(b'x')
        check(receive_exactly(d, 1) == b'x', 'nothing comes')
        for sock in (a, b, c, d):
            sock.close()


# --- F16: draining ----------------------------------------------------------

def many(proxy, link, count):
    ends = []
    for i in range(count):
        ends.append((proxy.side(f'm{i}'), proxy.side(f'm{i}')))
    for i in range(count):
        activated(activate(link, proxy.jid, f'm{i}'))
    return ends


def drains(second):
    count = 1_000
    with Stage(drain_timeout=3, pairs_per_jid=0) as (proxy, link):
        ends = many(proxy, link, count)
        begun = time.monotonic()
        proxy.signal(signal.SIGTERM)
        proxy.wait(f'draining: {count} pairs')
        try:
            proxy.connect().close()
            raise Unexpected('it still accepts')
        except ConnectionRefusedError:
            pass
        for a, b in ends[::100]:
            a.sendall(b'still there')
            check(receive_exactly(b, 11) == b'still there', 'not relayed')
        if second:
            proxy.signal(signal.SIGTERM)
        check(proxy.code() == 0, f'exit {proxy.process.returncode}')
        took = time.monotonic() - begun
        check(took < 2.5 if second else 2.5 <= took <= 5, f'{took:.1f} s')
        check(all(receive_all(sock) is None for pair in ends
                  for sock in pair), 'not reset')
        check(len(proxy.find('reason=stopped')) == count, proxy.story())


def drained_it_ends():
    with Stage(drain_timeout=30) as (proxy, link):
        a, b = proxy.pair(link, 'last')
        proxy.signal(signal.SIGTERM)
        proxy.wait('draining')
        time.sleep(0.5)
        a.sendall(b'the rest')
        a.close()
        check(receive_all(b) == b'the rest', 'not whole')
        b.close()
        check(proxy.code(5) == 0, f'exit {proxy.process.returncode}')


# --- F18, F20 and a third ----------------------------------------------------

def strangers_are_closed():
    with Stage(connect_from='127.0.0.2/32') as (proxy, link):
        for _ in range(100):
            with proxy.connect() as sock:
                sock.sendall(GREETING)
                check(receive_all(sock) in (b'', None), 'it answers')
        proxy.wait('reason=acl')
        check(len(proxy.find('reason=acl')) <= 2, proxy.story())
        check(proxy.metrics()['xferry_proxy_refused_total{reason="acl"}'] ==
              100, 'not counted')
        sock = socket.create_connection((proxy.host, proxy.port), 5,
                                        ('127.0.0.2', 0))
        handshake(sock, dstaddr('friend'))
        sock.close()


def nothing_is_forged_in_the_log():
    """No control byte of others, no line of theirs, no colour."""
    evil = 'romeo@localhost/x reason=done "\\é\u4e2d'
    forged = b'a' * 20 + b'\n\x1b[31mforged\r\n' + b'b' * 7
    with Stage(log_jids='full') as (proxy, link):
        for _ in range(3):
            told(proxy, request(forged), True)
        sid = 'log'
        b, a = proxy.side(sid, evil), proxy.side(sid, evil)
        activated(activate(link, proxy.jid, sid,
                           evil.replace('"', '&quot;')))
        a.close(), b.close()
        proxy.wait('seconds=')
        proxy.wait('reason=socks')
        raw = '\n'.join(proxy.lines).encode('utf-8', 'surrogateescape')
        check(not any(c < 32 and c != 10 or c > 126 for c in raw), repr(raw))
        check(all(line[:2] == '20' for line in proxy.lines), proxy.story())
        line = proxy.wait('seconds=')
        check(line.count(' reason=') == 1, line)


def jids_are_short_unless_asked():
    with Stage() as (proxy, link):
        a, b = proxy.pair(link, 'short')
        a.close(), b.close()
        line = proxy.wait('seconds=')
        check('from=r*@localhost to=j*@localhost' in line, line)
        check('romeo' not in proxy.story(), proxy.story())
        proxy.reload(log_jids='full')
        a, b = proxy.pair(link, 'full')
        a.close(), b.close()
        line = proxy.wait('seconds=', count=2)
        check(f'from={ROMEO} to={JULIET}' in line, line)


def a_third_is_refused():
    with Stage() as (proxy, link):
        b, a = proxy.side('three'), proxy.side('three')
        with proxy.connect() as third:
            third.sendall(GREETING)
            receive_exactly(third, 2)
            third.sendall(request(dstaddr('three')))
            got = receive_all(third)
            check(got and got[:2] == b'\5\2', repr(got))
        activated(activate(link, proxy.jid, 'three'))
        a.sendall(b'to two')
        a.close()
        check(receive_all(b) == b'to two', 'the two were disturbed')
        proxy.wait('reason=third')


def main():
    on_sigterm()
    cases = Cases()
    add = cases.add
    add('each byte at its bounds gets the answer of the table',
        boundary_bytes)
    add('a wrong length costs no descriptor', no_descriptor_is_lost)
    add('upper case is another hash', case_is_not_folded)
    add('a request cut anywhere is read whole', every_cut)
    add('greeting, request and file in one segment arrive',
        all_in_one_segment)
    for sides in (1, 2):
        add(f'not activated with {sides} connected ends in time',
            never_activated, sides)
    for name, words, every in (
            ('no byte', b'', None),
            ('a byte now and then', GREETING + request(HASH), 0.6),
            ('a greeting only', GREETING, None),
            ('all but the last byte', GREETING + request(HASH)[:-1], None)):
        add(f'a slow handshake ends as a whole: {name}', slow_loris, words,
            every)
    add('a small file and its end before the activation arrive whole',
        early_files)
    add('what is sent before the activation is not read',
        early_data_is_not_read, alone=True)
    for first in ('requester', 'target'):
        add(f'the end of the {first} leaves the other direction open',
            half_close, first)
        add(f'a reset by the {first} is passed on as one',
            a_reset_is_passed_on, first)
    add('both may end at once', both_at_once)
    add('handshakes of an address are capped', handshakes_of_one_are_capped)
    add('handshakes in all are capped', handshakes_in_all_are_capped)
    add('connections of an address are capped', connections_are_capped)
    add('pairs in all are capped', pairs_are_capped)
    add('a pair without a byte ends in time', idle_ones_end)
    add('IPv4 and IPv6 meet', both_families)
    add('an active pair is watched for a sign of life', is_watched)
    for limit in (64, 256, 1024):
        add(f'a limit of {limit} descriptors pauses accepting and no more',
            descriptors_run_out, limit, alone=True)
    add('1,000 pairs are drained, then reset, and it ends with 0', drains,
        False)
    add('a second SIGTERM ends it at once', drains, True)
    add('drained, it ends with its last pair', drained_it_ends)
    add('who may not connect is closed without a byte', strangers_are_closed)
    add('nobody forges lines in the log', nothing_is_forged_in_the_log)
    add('JIDs are short in the log unless asked', jids_are_short_unless_asked)
    add('a third connection is refused and harms nobody', a_third_is_refused)
    only = None if ALL else (sys.argv[1:] or [None])[0]
    return 1 if cases.run(only=only) else 0


if __name__ == '__main__':
    ferry.use(os.environ.get('XFERRY', 'build/cli/xferry'))
    sys.exit(main())
