"""A TCP relay that breaks in the middle, or is far away: in front of a listener
of ours, of a proxy or of a server. It knows bytes, and nothing of what they
mean."""

import queue
import socket
import struct
import threading
import time

CHUNK = 65536
RESET_LOSES = 512 << 10  # bytes at most of what has passed; twice in Linux


class Behind:
    """A server reached by way of a relay."""

    def __init__(self, server, relay):
        self._server, self.address = server, relay.address

    def __getattr__(self, name):
        return getattr(self._server, name)


class Relay:
    """`address` is HOST:PORT while this is entered.

    target  (host, port) that connections go on to
    at      bytes of one connection, both directions together, after which...
    how     'fin'   both ends are closed
            'rst'   both ends are reset; up to a MiB of what has passed is lost
            'hole'  nothing moves any more, and nobody is told
            'hold'  the same, until go_on()
            'stop'  as 'fin', and nobody is let in any more
            'flip'  one bit of that byte is altered
    rate    bytes a second, together
    delay   seconds that each byte is on its way
    """

    def __init__(self, target, at=None, how='fin', host='127.0.0.1', port=0,
                 rate=None, delay=0):
        self.target, self.at, self.how = target, at, how
        self.host, self.port, self.rate = host, port, rate
        self.delay = delay
        self.moved = {}  # bytes by direction of each connection, (up, down)
        self.reached = threading.Event()
        self._free = threading.Event()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._sockets = []
        self._broken = set()  # numbers of connections

    def __enter__(self):
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((self.host, self.port))
        self._listener.listen(16)
        self.port = self._listener.getsockname()[1]
        self.address = f'{self.host}:{self.port}'
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        self._over.set()
        self._free.set()
        self.stop()
        self.drop()

    def go_on(self):
        """Let pass what was held; it is held once."""
        self._free.set()

    def stop(self):
        """Nobody is let in any more; who is in stays."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()

    def drop(self):
        """Close every connection."""
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for one in sockets:
            self._close(one)

    def up(self):
        """Bytes that came from those who connect."""
        with self._lock:
            return sum(up for up, _ in self.moved.values())

    @staticmethod
    def _start(run, *args):
        threading.Thread(target=run, args=args, daemon=True).start()

    @staticmethod
    def _close(one):
        # A thread may wait in recv: closing alone would not wake it.
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        one.close()

    def _accept(self):
        number = 0
        while not self._over.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target)
            except OSError:
                self._close(client)
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self.how == 'rst':
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF,
                                   RESET_LOSES)
            number += 1
            with self._lock:
                self._sockets += [client, server]
                self.moved[number] = (0, 0)
            self._start(self._carry, number, 0, client, server)
            self._start(self._carry, number, 1, server, client)

    def _allowed(self, number, way, size):
        """Counts what has come. How much of it may pass before something
        happens, None when nothing does."""
        with self._lock:
            moved = list(self.moved.get(number, (0, 0)))
            total = sum(moved)
            moved[way] += size
            self.moved[number] = tuple(moved)
        if self.at is None or not total <= self.at < total + size:
            return None
        return self.at - total

    def _later(self, source):
        """A socket that brings what comes from `source`, but later."""
        due = queue.Queue()
        near, far = socket.socketpair()

        def read():
            data = b'?'
            while data:
                try:
                    data = source.recv(CHUNK)
                except OSError:
                    data = b''
                due.put((time.monotonic() + self.delay, data))

        def write():
            while True:
                at, data = due.get()
                self._over.wait(max(at - time.monotonic(), 0))
                try:
                    if not data:
                        far.close()
                        return
                    far.sendall(data)
                except OSError:
                    return

        self._start(read)
        self._start(write)
        return near

    def _carry(self, number, way, source, target):
        if self.delay:
            source = self._later(source)
        try:
            while data := source.recv(CHUNK):
                if number in self._broken:
                    self._free.wait()
                first = self._allowed(number, way, len(data))
                if first is not None:
                    target.sendall(data[:first])
                    data = self._break(number, data[first:], source, target)
                    if data is None:
                        return
                target.sendall(data)
                if self.rate:
                    self._over.wait(len(data) / self.rate)
            if number not in self._broken:
                target.shutdown(socket.SHUT_WR)
        except OSError:
            # One end has gone: so has the other.
            self._close(source)
            self._close(target)

    def _break(self, number, rest, source, target):
        """What of it passes now, or None: nothing ever."""
        if self.how == 'flip':
            # Once: what goes through twice would be as it was.
            if self.reached.is_set():
                return rest
            self.reached.set()
            return bytes([rest[0] ^ 1]) + rest[1:]
        if self.how == 'stop':
            self.stop()
        self._broken.add(number)
        if self.how == 'hole' or self.how == 'hold':
            self.reached.set()
            self._free.wait()
            self._broken.discard(number)
            return None if self.how == 'hole' else rest
        for one in (source, target):
            if self.how == 'rst':
                self._reset(one)
            else:
                self._close(one)
        self.reached.set()
        return None

    @staticmethod
    def _reset(one):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                       struct.pack('ii', 1, 0))
        # Wakes the thread that waits for it, and sends nothing.
        one.shutdown(socket.SHUT_RD)
        one.close()
