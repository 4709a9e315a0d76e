#!/usr/bin/python3
"""Strangers at the proxy's door, as a program of their own: so many connects
a second, each from another address of loopback, each doing something useless.

    flood.py PORT CONNECTS_A_SECOND SECONDS     prints how many there were
"""

import select
import socket
import struct
import sys
import time

HOLD_S = 0.5
# Nothing, a greeting, half a request, noise, another protocol.
WORDS = [b'', b'\5\1\0', b'\5\1\0\5\1\0\3\x28abcdef', b'\xff' * 200,
         b'GET / HTTP/1.1\r\n\r\n']
IP_BIND_ADDRESS_NO_PORT = 24


def main():
    port, a_second, seconds = int(sys.argv[1]), int(sys.argv[2]), \
        float(sys.argv[3])
    begun = time.monotonic()
    held, done, failed = [], 0, 0
    while (now := time.monotonic() - begun) < seconds:
        while done < now * a_second:
            sock = socket.socket()
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            # No port is kept busy after it.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack('ii', 1, 0))
            sock.bind((f'127.{1 + done % 100}.{done // 250 % 250}.'
                       f'{1 + done % 250}', 0))
            try:
                sock.connect(('127.0.0.1', port))
            except BlockingIOError:
                pass
            except OSError:
                failed += 1
            held.append((now, sock, WORDS[done % len(WORDS)]))
            done += 1
        while held and held[0][0] < now - HOLD_S:
            held.pop(0)[1].close()
        for i, (when, sock, words) in enumerate(held[-200:]):
            if words:
                try:
                    sock.send(words)
                except OSError:
                    pass
                held[len(held) - len(held[-200:]) + i] = (when, sock, b'')
        select.select([], [], [], 0.002)
    print(done - failed, flush=True)


if __name__ == '__main__':
    main()
