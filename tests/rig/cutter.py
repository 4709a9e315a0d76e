"""A relay in front of an XMPP server whose connections a test cuts when it
likes: a Wi-Fi that is left, a router that restarts. What the programs make of
it is left to the tests."""

import re
import selectors
import socket
import struct
import threading
import time

CHUNK = 16384
STANZA = re.compile(rb'<(?:iq|message)\b[^>]*/>|'
                    rb'<(iq|message)\b[^>]*>.*?</\1>', re.S)
BEGIN = re.compile(rb'<(?:iq|message)\b|<[^>]*$')
# A reset instead of an end: the close of a socket that lingers for no time.
NO_LINGER = struct.pack('ii', 1, 0)


def whole_length(text):
    """How much of it ends with no stanza begun."""
    end = 0
    while begin := BEGIN.search(text, end):
        stanza = STANZA.match(text, begin.start())
        if not stanza:
            return begin.start()
        end = stanza.end()
    return len(text)


class Cutter:
    """`address` is HOST:PORT while this is entered, so that it stands for a
    server of ferry.run(); what it does not know itself the server says.

    rate   bytes a second from client to server, so that there is a middle
    whole  without TLS: from client to server only whole stanzas pass, so that
           none is cut in two; or, False, one always is; None: as it comes
    location  without TLS: what the server is made to say in <enabled/>
    """

    def __init__(self, server, rate=None, whole=None, location=None):
        self.server = server
        self.target = ('127.0.0.1', server.port)
        self.rate, self.whole, self.location = rate, whole, location
        self.accepted = 0
        self.passed = 0    # bytes from clients
        self._refuse_until = 0
        self._pairs = set()
        self._frozen = set()
        self._held = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = []

    def __getattr__(self, name):
        return getattr(self.server, name)

    def __enter__(self):
        self._listener = socket.socket()
        self._listener.bind(('127.0.0.1', 0))
        self._listener.listen(16)
        self._listener.settimeout(0.1)
        self.address = f'127.0.0.1:{self._listener.getsockname()[1]}'
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        self._over.set()
        self.cut()
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    # --- what a test asks for ----------------------------------------------

    def cut(self, refuse_s=0):
        """Reset every connection, and each new one for `refuse_s` seconds.
        What is on its way then is lost, as it would be."""
        self._refuse_until = time.monotonic() + refuse_s
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for client, server in pairs:
            self._reset(client)
            if self.whole is None:
                self._reset(server)

    def freeze(self):
        """Let nothing pass by the connections there are, and say nothing: a
        cable is pulled. New ones work."""
        with self._lock:
            self._frozen |= self._pairs

    def wait_passed(self, count, patience_s=60):
        """Until so many bytes of the clients have passed."""
        end = time.monotonic() + patience_s
        while self.passed < count:
            if time.monotonic() > end:
                raise AssertionError(f'{self.passed} of {count} bytes passed')
            time.sleep(0.005)

    # --- relaying ----------------------------------------------------------

    @staticmethod
    def _reset(sock):
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            # The threads that read it wake up; they close it.
            sock.shutdown(socket.SHUT_RD)
        except OSError:
            pass

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
            if time.monotonic() < self._refuse_until:
                self._reset(client)
                client.close()
                continue
            try:
                server = socket.create_connection(self.target)
            except OSError:
                client.close()
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._pairs.add((client, server))
            self.accepted += 1
            self._start(self._relay, client, server)

    def _relay(self, client, server):
        """Both ways in one thread, so that one cut ends both at once."""
        with selectors.DefaultSelector() as ready:
            for source, drain in ((client, server), (server, client)):
                ready.register(source, selectors.EVENT_READ, drain)
            while ready.get_map() and (client, server) in self._pairs:
                for key, _ in ready.select(0.2):
                    if (client, server) in self._frozen:
                        self._over.wait(0.2)
                    elif not self._pass(key.fileobj, key.data,
                                      key.fileobj is client):
                        ready.unregister(key.fileobj)
        with self._lock:
            self._pairs.discard((client, server))
        client.close()
        if self.whole is not None:
            self._end(server)
        server.close()

    @staticmethod
    def _end(server):
        """A reset, or bytes of its own that nobody read, would make it drop
        the end of what has passed, and cut a stanza in two after all."""
        try:
            server.shutdown(socket.SHUT_WR)
            server.settimeout(5)
            while server.recv(CHUNK):
                pass
        except OSError:
            pass

    def _pass(self, source, drain, upward):
        try:
            data = source.recv(CHUNK)
            if upward and self.whole is not None:
                self._pass_stanzas(source, drain, data)
            else:
                drain.sendall(self._say_location(data) if not upward else data)
        except OSError:
            return False
        if not data:
            try:
                drain.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            return False
        if upward:
            self.passed += len(data)
            if self.rate:
                self._over.wait(len(data) / self.rate)
        return True

    def _say_location(self, data):
        if not self.location:
            return data
        return data.replace(
            b'<enabled ', f'<enabled location="{self.location}" '.encode())

    def _pass_stanzas(self, source, drain, data):
        """Up to the end of the last whole stanza; or, if one is to be cut in
        two, to the middle of the next."""
        held = self._held.get(source, b'') + data
        end = whole_length(held)
        if not self.whole and b'<data ' in held[end:]:
            end += (len(held) - end) // 2
        self._held[source] = held[end:]
        drain.sendall(held[:end])
