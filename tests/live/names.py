"""How the server of an account is found: by SRV, by its own name, over dead
addresses; with a small DNS server, in a network namespace of its own.

    names.py [PART OF A NAME]
"""

import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

from blackhole import Blackhole  # noqa: E402
from cases import Cases, only  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import on_sigterm  # noqa: E402
from transfers import login, refused  # noqa: E402

A, AAAA, SRV = 1, 28, 33
ALONE = 'XFERRY_IN_NAMESPACE'
DOMAIN = 'verona.example'


def name_bytes(name):
    parts = [part.encode() for part in name.strip('.').split('.') if part]
    return b''.join(bytes([len(part)]) + part for part in parts) + b'\0'


def srv(port, target, priority=0, weight=0):
    return SRV, struct.pack('>HHH', priority, weight, port) + \
        name_bytes(target)


def a(address):
    return A, socket.inet_aton(address)


def aaaa(address):
    return AAAA, socket.inet_pton(socket.AF_INET6, address)


class Dns:
    """Answers from `records`, {name: [(type, data), ...]}; else that there is
    no such name."""

    def __init__(self):
        self.records = {}

    def __enter__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(('127.0.0.1', 53))
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _serve(self):
        while True:
            try:
                packet, peer = self.socket.recvfrom(512)
                self.socket.sendto(self._answer(packet), peer)
            except OSError:
                return

    def _answer(self, packet):
        at, labels = 12, []
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode())
            at += 1 + packet[at]
        question = packet[12:at + 5]
        kind = struct.unpack('>H', packet[at + 1:at + 3])[0]
        known = self.records.get('.'.join(labels).lower())
        answers = [data for had, data in known or [] if had == kind]
        flags = 0x8580 if known is not None else 0x8583
        body = b''.join(b'\xc0\x0c' + struct.pack('>HHIH', kind, 1, 0,
                                                  len(data)) + data
                        for data in answers)
        return packet[:2] + struct.pack('>HHHHH', flags, 1, len(answers), 0,
                                        0) + question + body


CLIENT, CLIENTS = f'_xmpp-client._tcp.{DOMAIN}', f'_xmpps-client._tcp.{DOMAIN}'
HOST = 'chat.verona.example'
dns = Dns()


def gets_online(server, records, *options, within=3):
    dns.records = records
    account = server.pair()[0]
    with login(account, '--ca-file', server.ca, *options) as program:
        program.wait('online', within + 2)


def stays_out(server, records, code, *options):
    dns.records = records
    refused(login(server.pair()[0], '--ca-file', server.ca, *options), code)


def add_cases(cases, server, direct, hole):
    here = {HOST: [a('127.0.0.1')]}
    cases.add('SRV names host and port', gets_online, server,
              {CLIENT: [srv(server.port, HOST)], **here})
    cases.add('SRV of direct TLS is used', gets_online, server,
              {CLIENTS: [srv(direct, HOST)], **here})
    cases.add('without SRV it is the name itself, port 5222', gets_online,
              server, {DOMAIN: [a('127.0.0.1')]})
    cases.add('the next SRV host is tried when one refuses', gets_online,
              server, {CLIENT: [srv(1, HOST, 0), srv(server.port, HOST, 1)],
                       **here})
    cases.add('a target of a dot says there is no service', stays_out, server,
              {CLIENT: [srv(0, '.')], CLIENTS: [srv(0, '.')],
               DOMAIN: [a('127.0.0.1')]}, 12)
    cases.add('a name that is not known is said so', stays_out, server, {},
              12)
    cases.add('a dead address costs less than 3 s', gets_online, server,
              {CLIENT: [srv(server.port, HOST)],
               HOST: [a(hole.host), a('127.0.0.1')]})
    cases.add('an IPv6 address without a way costs nothing', gets_online,
              server, {CLIENT: [srv(server.port, HOST)],
                       HOST: [aaaa('fd00::1'), a('127.0.0.1')]})
    cases.add('--server with port 5223 is direct TLS', gets_online, server,
              {}, '--server', f'127.0.0.1:{direct}')
    cases.add('--server by name', gets_online, server, here, '--server', HOST)


def main():
    on_sigterm()
    cases = Cases()
    with tempfile.NamedTemporaryFile('w') as conf, dns:
        conf.write('nameserver 127.0.0.1\noptions timeout:2 attempts:1\n')
        conf.flush()
        target = os.path.realpath('/etc/resolv.conf')
        subprocess.run(['mount', '--bind', conf.name, target], check=True)
        with Prosody(DOMAIN, port=5222, tls_port=5223, pairs=20) as server, \
                Blackhole(port=5222) as hole:
            add_cases(cases, server, 5223, hole)
            # One set of records at a time.
            server.failed = cases.run(1, only()) > 0
            return 1 if server.failed else 0


def enter():
    """Play it all in namespaces of its own, where ports and names are ours."""
    wrap = ['unshare', '-rnm']
    if subprocess.run([*wrap, 'true'], check=False,
                      capture_output=True).returncode:
        print('1..0 # SKIP no namespaces here')
        return 0
    script = 'ip link set lo up && exec "$@"'
    return subprocess.call(
        [*wrap, 'sh', '-c', script, 'sh', sys.executable, *sys.argv],
        env=dict(os.environ, **{ALONE: '1'}))


if __name__ == '__main__':
    sys.exit(main() if os.environ.get(ALONE) else enter())
