"""Paced pairs keep their pace while strangers do what they can.

    proxy_load.py [PART OF A NAME]
"""

import select
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'rig'))

from cases import Cases  # noqa: E402
from component import ComponentServer  # noqa: E402
from ferry import PYTHON, Unexpected  # noqa: E402
from server import die_with_parent, on_sigterm  # noqa: E402
from xproxy import Proxy, activate, activated  # noqa: E402

PAIRS, RATE = 100, 1_000_000
TICK_S = 0.02
SECONDS = 4
FLOOD = 2_000


def check(holds, words):
    if not holds:
        raise Unexpected(words)


class Paced:
    """100 pairs, a megabyte a second through each; counts what arrives."""

    def __init__(self, ends):
        self.ends = ends
        self.got = 0
        self.over = False
        for a, b in ends:
            a.setblocking(False)
            b.setblocking(False)
        self.threads = [threading.Thread(target=self._push),
                        threading.Thread(target=self._pull)]
        for thread in self.threads:
            thread.start()

    def _push(self):
        data = bytes(int(RATE * TICK_S))
        next_at = time.monotonic()
        while not self.over:
            for a, _ in self.ends:
                try:
                    a.send(data)
                except BlockingIOError:
                    pass  # behind; what arrives is what counts
            next_at += TICK_S
            time.sleep(max(0, next_at - time.monotonic()))

    def _pull(self):
        poll = select.epoll()
        by_fd = {b.fileno(): b for _, b in self.ends}
        for fd in by_fd:
            poll.register(fd, select.EPOLLIN)
        room = memoryview(bytearray(1 << 18))
        while not self.over:
            for fd, _ in poll.poll(0.2):
                self.got += by_fd[fd].recv_into(room)

    def measure(self, seconds=SECONDS):
        before, begun = self.got, time.monotonic()
        time.sleep(seconds)
        return (self.got - before) / (time.monotonic() - begun)

    def end(self):
        self.over = True
        for thread in self.threads:
            thread.join()


def beside(disturb):
    """The rate with, at least 90 % of the rate without."""
    with ComponentServer() as server, \
            Proxy(server.address, pairs_per_jid=0, half_open_per_address=64,
                  half_open=1024, handshake_timeout=5) as proxy:
        link = server.link()
        ends = []
        for i in range(PAIRS):
            b, a = proxy.side(f'p{i}'), proxy.side(f'p{i}')
            activated(activate(link, proxy.jid, f'p{i}'))
            ends.append((a, b))
        paced = Paced(ends)
        try:
            time.sleep(1)
            without = paced.measure()
            with disturb(proxy) as told:
                time.sleep(0.5)
                beside_it = paced.measure()
            # It has ended, and knows how much it did.
            words = f'{without / 1e6:.1f} MB/s without, ' \
                    f'{beside_it / 1e6:.1f} beside {told()}'
            print('# ' + words, file=sys.stderr)
            check(without >= 0.8 * PAIRS * RATE, words)
            check(beside_it >= 0.9 * without, words)
        finally:
            paced.end()
        check(proxy.metrics()['xferry_proxy_pairs{state="active"}'] == PAIRS,
              'pairs were lost')
        check(len(proxy.lines) < 400, f'{len(proxy.lines)} lines logged')
        for a, b in ends:
            a.close(), b.close()


class Flood:
    """2,000 connects a second."""

    def __init__(self, proxy):
        self.proxy = proxy

    def __enter__(self):
        self.process = subprocess.Popen(
            [PYTHON, HERE.parent / 'rig' / 'flood.py', str(self.proxy.port),
             str(FLOOD), str(SECONDS + 1)], stdout=subprocess.PIPE, text=True,
            preexec_fn=die_with_parent)
        return self.told

    def __exit__(self, *_):
        self.count = int(self.process.communicate()[0])
        check(self.count >= 0.9 * FLOOD * (SECONDS + 1),
              f'only {self.count} connects')

    def told(self):
        return f'{self.count} connects in {SECONDS + 1} s'


class Loris:
    """As many as are let in, each a byte of a handshake in 2 s."""

    def __init__(self, proxy):
        self.proxy, self.over, self.most = proxy, False, 0

    def __enter__(self):
        self.thread = threading.Thread(target=self._work)
        self.thread.start()
        return self.told

    def _work(self):
        slow = {}
        number = 0
        while not self.over:
            for _ in range(100):
                if len(slow) >= 1500:
                    break
                number += 1
                sock = socket.socket()
                sock.bind((f'127.{1 + number % 200}.1.{number % 250 + 1}', 0))
                sock.settimeout(0.5)
                try:
                    sock.connect(('127.0.0.1', self.proxy.port))
                except OSError:
                    sock.close()
                    continue
                sock.setblocking(False)
                slow[sock] = 0
            for sock, sent in list(slow.items()):
                try:
                    sock.send(b'\5\1\0'[sent:sent + 1] or b'\5')
                    slow[sock] = sent + 1
                except OSError:
                    del slow[sock]
                    sock.close()
            self.most = max(self.most, len(slow))
            time.sleep(2 if len(slow) >= 1000 else 0.02)
        for sock in slow:
            sock.close()

    def __exit__(self, *_):
        self.over = True
        self.thread.join()
        check(self.most >= 500, f'{self.most} slow ones at most')

    def told(self):
        return f'{self.most} slow ones'


def main():
    on_sigterm()
    cases = Cases()
    cases.add(f'{PAIRS} paced pairs keep their pace beside {FLOOD} connects '
              'a second', beside, Flood, alone=True)
    cases.add(f'{PAIRS} paced pairs keep their pace beside hundreds of slow '
              'ones', beside, Loris, alone=True)
    return 1 if cases.run(only=(sys.argv[1:] or [None])[0]) else 0


if __name__ == '__main__':
    sys.exit(main())
