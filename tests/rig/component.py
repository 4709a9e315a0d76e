"""The server's end of the component protocol (XEP-0114), word by word: what a
real server says it says, and what one must never say it says, too. Real
servers are played in proxy_files.py."""

import hashlib
import itertools
import socket
import threading
import time
import xml.etree.ElementTree as ET

from ferry import Unexpected
from server import free_port

ACCEPT = 'jabber:component:accept'
STREAMS = 'http://etherx.jabber.org/streams'
S5B = 'http://jabber.org/protocol/bytestreams'
STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
INFO = 'http://jabber.org/protocol/disco#info'
ITEMS = 'http://jabber.org/protocol/disco#items'
PATIENCE_S = 20


def error_of(stanza):
    """(type, condition) of an error stanza, or None."""
    error = stanza.find(f'{{{ACCEPT}}}error')
    if error is None:
        return None
    for child in error:
        if child.tag.startswith('{' + STANZAS + '}'):
            return error.get('type'), child.tag.split('}')[1]
    return error.get('type'), None


class Link:
    """One connection of the component that got through its handshake."""

    def __init__(self, sock, parser):
        self.sock, self._parser = sock, parser
        self._stanzas, self._news = [], threading.Condition()
        self.over = False
        self._ids = itertools.count(1)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while data := self.sock.recv(65536):
                self._parser.feed(data)
                for kind, element in self._parser.read_events():
                    if kind == 'end' and element.tag.split('}')[1] in (
                            'iq', 'message', 'presence'):
                        with self._news:
                            self._stanzas.append(element)
                            self._news.notify_all()
        except (OSError, ET.ParseError):
            pass
        with self._news:
            self.over = True
            self._news.notify_all()

    def send(self, xml):
        self.sock.sendall(xml.encode())

    def wait(self, fits, timeout=PATIENCE_S):
        """The first stanza that fits, now or to come; it is taken out."""
        end = time.monotonic() + timeout
        with self._news:
            while True:
                for had in self._stanzas:
                    if fits(had):
                        self._stanzas.remove(had)
                        return had
                left = end - time.monotonic()
                if self.over or left <= 0:
                    raise Unexpected(
                        f'no such stanza (over: {self.over}) among ' +
                        str([ET.tostring(s) for s in self._stanzas]))
                self._news.wait(left)

    def quiet(self, seconds=0.5):
        """Nothing comes."""
        time.sleep(seconds)
        with self._news:
            if self._stanzas:
                raise Unexpected('it says ' + str(
                    [ET.tostring(s) for s in self._stanzas]))

    def ask(self, kind, payload, sender, to, timeout=PATIENCE_S, number=None):
        """An iq and its reply; `sender` None leaves the `from` out."""
        number = number or f'q{next(self._ids)}'
        by = f' from="{sender}"' if sender is not None else ''
        self.send(f'<iq type="{kind}" id="{number}"{by} to="{to}">{payload}'
                  '</iq>')
        return self.wait(lambda s: s.get('id') == number, timeout)

    def close(self):
        """As a server that is gone."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


class ComponentServer:
    """Takes the component as often as it comes.

    `mode` is what the next connection meets: 'ok'; 'not-authorized',
    'conflict' or 'host-unknown': a stream error of that name; 'silent': no
    answer to the handshake; 'closed': the connection at once.
    """

    def __init__(self, domain='proxy.localhost', secret='swordfish',
                 port=None, mode='ok', host='127.0.0.1'):
        self.host = host
        self.domain, self.secret, self.mode = domain, secret, mode
        self.port = port or free_port()
        self.attempts, self.handshakes = [], []
        self._links, self._news = [], threading.Condition()
        self._sockets = []
        self.open()

    def open(self):
        """Begin to listen, again after `shut`."""
        self._listener = socket.create_server((self.host, self.port))
        threading.Thread(target=self._serve, args=(self._listener,),
                         daemon=True).start()

    def shut(self):
        """As a server that stops: its listener and every connection."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        for sock in self._sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
        self._sockets = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shut()

    @property
    def address(self):
        return f'{self.host}:{self.port}'

    def _serve(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self.attempts.append(time.monotonic())
            self._sockets.append(sock)
            threading.Thread(target=self._greet, args=(sock,),
                             daemon=True).start()

    def _greet(self, sock):
        try:
            self._handshake(sock)
        except (OSError, ET.ParseError, StopIteration):
            sock.close()

    def _handshake(self, sock):
        if self.mode == 'closed':
            sock.close()
            return
        parser = ET.XMLPullParser(['start', 'end'])

        def until(kind, name):
            while True:
                for had, element in parser.read_events():
                    if had == kind and element.tag.split('}')[1] == name:
                        return element
                data = sock.recv(4096)
                if not data:
                    raise StopIteration
                parser.feed(data)

        stream = until('start', 'stream')
        mode = self.mode
        # Prosody gives none to a host that it does not know.
        number = '' if mode == 'host-unknown' else 'i7-&lt;4'
        sock.sendall(
            f"<?xml version='1.0'?><stream:stream xmlns='{ACCEPT}' "
            f"xmlns:stream='{STREAMS}' id='{number}' "
            f"from='{stream.get('to')}'>".encode())
        if mode == 'host-unknown':
            return self._stream_error(sock, mode)
        proof = until('end', 'handshake').text
        self.handshakes.append(proof)
        due = hashlib.sha1(('i7-<4' + self.secret).encode()).hexdigest()
        if mode == 'silent':
            return None
        if mode == 'conflict':
            return self._stream_error(sock, mode)
        if mode == 'not-authorized' or proof != due or \
                stream.get('to') != self.domain:
            return self._stream_error(sock, 'not-authorized')
        sock.sendall(b'<handshake/>')
        link = Link(sock, parser)
        with self._news:
            self._links.append(link)
            self._news.notify_all()
        return None

    @staticmethod
    def _stream_error(sock, name):
        sock.sendall(f"<stream:error><{name} xmlns='urn:ietf:params:xml:ns:"
                     "xmpp-streams'/></stream:error></stream:stream>".encode())
        sock.shutdown(socket.SHUT_WR)

    def link(self, number=1, timeout=PATIENCE_S):
        """The connection that got through as the `number`th."""
        end = time.monotonic() + timeout
        with self._news:
            while len(self._links) < number:
                left = end - time.monotonic()
                if left <= 0:
                    raise Unexpected('the component does not come')
                self._news.wait(left)
            return self._links[number - 1]
