"""A relay in front of an XMPP server without TLS that lets through so many
bytes a second from the clients, stops for a while now and then, and can put
words into the server's mouth: a server nobody ships, but somebody runs."""

import selectors
import socket
import threading

CHUNK = 1024


class Shaper:
    """`address` is HOST:PORT while this is entered.

    rate     bytes a second from client to server, of each connection
    pauses   (after, seconds): so many bytes of a connection after which
             nothing passes for so long
    features put in front of the end of the server's stream features
    """

    def __init__(self, server, rate=None, pauses=(), features=''):
        self.target = ('127.0.0.1', server.port)
        self.rate, self.pauses = rate, pauses
        self.features = features.encode()
        self.largest = 0  # stanza of <data/>, as it came
        self._over = threading.Event()
        self._threads = []

    def __enter__(self):
        self._listener = socket.socket()
        # No more waits in the kernel than a server of that rate would read.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self._listener.bind(('127.0.0.1', 0))
        self._listener.listen(16)
        self._listener.settimeout(0.2)
        self.port = self._listener.getsockname()[1]
        self.address = f'127.0.0.1:{self.port}'
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _start(self, run, *args):
        thread = threading.Thread(target=run, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while not self._over.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                continue
            server = socket.create_connection(self.target)
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start(self._up, client, server)
            self._start(self._down, server, client)

    def _read(self, source, size):
        """What comes, or nothing at the end."""
        with selectors.DefaultSelector() as ready:
            ready.register(source, selectors.EVENT_READ)
            while not self._over.is_set():
                if ready.select(0.2):
                    try:
                        return source.recv(size)
                    except OSError:
                        break
        return b''

    def _up(self, client, server):
        total, pauses = 0, list(self.pauses)
        tail = b''
        while data := self._read(client, CHUNK):
            total += len(data)
            tail = self._measure(tail + data)
            if not self._send(server, data):
                break
            if self.rate:
                self._over.wait(len(data) / self.rate)
            if pauses and total >= pauses[0][0]:
                self._over.wait(pauses.pop(0)[1])
        self._end(server)

    def _measure(self, text):
        """Keeps the length of the longest iq in mind; returns the rest."""
        while (end := text.find(b'</iq>')) >= 0:
            begun = text.rfind(b'<iq ', 0, end)
            self.largest = max(self.largest, end + 5 - max(begun, 0))
            text = text[end + 5:]
        return text

    def _down(self, server, client):
        mark = b'</stream:features>'
        while data := self._read(server, 65536):
            if self.features:
                data = data.replace(mark, self.features + mark)
            if not self._send(client, data):
                break
        self._end(client)

    @staticmethod
    def _send(sock, data):
        try:
            sock.sendall(data)
            return True
        except OSError:
            return False

    @staticmethod
    def _end(sock):
        try:
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
