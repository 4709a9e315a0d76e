"""Addresses of this machine that answer nothing: a listener whose backlog is
full, so that the kernel drops every further SYN, as a firewall does. No
packet leaves the machine."""

import socket
import time


class Blackhole:
    """`address` is HOST:PORT while this is entered."""

    def __init__(self, host='127.9.9.9', port=0):
        self.host, self.port = host, port
        self._filling = []

    def __enter__(self):
        self._listener = socket.socket()
        self._listener.bind((self.host, self.port))
        self._listener.listen(0)
        self.port = self._listener.getsockname()[1]
        self.address = f'{self.host}:{self.port}'
        for _ in range(16):
            if not self._fill():
                return self
        self.__exit__()
        raise RuntimeError('the backlog does not get full')

    def _fill(self):
        """One more connection; False when nobody answers it any more."""
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex((self.host, self.port))
        self._filling.append(one)
        # On loopback an answer takes microseconds.
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            try:
                one.getpeername()
                return True
            except OSError:
                time.sleep(0.01)
        return False

    def __exit__(self, *_):
        for one in self._filling:
            one.close()
        self._listener.close()
