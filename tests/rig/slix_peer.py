#!/usr/bin/python3
"""The other side, by slixmpp: a headless sender and receiver of files that
says what happens as one JSON object a line, like xferry itself.

Its S5B goes by proxy only, its IBB takes blocks of 8192 unless told more. To
see how xferry treats peers that are slow, silent or hostile it can also leave
S5B queries unanswered, refuse them, or offer a file and do no more."""

import argparse
import asyncio
import hashlib
import json
import logging
import sys
import time
from pathlib import Path

from slixmpp import ClientXMPP
from slixmpp.exceptions import IqError, IqTimeout
from slixmpp.xmlstream.handler import Callback, CoroutineCallback
from slixmpp.xmlstream.matcher import StanzaPath

IBB = 'http://jabber.org/protocol/ibb'
S5B = 'http://jabber.org/protocol/bytestreams'
METHODS = {'ibb': IBB, 'proxy': S5B}


def tell(event, **more):
    print(json.dumps(dict(more, event=event, t=time.monotonic())), flush=True)


class Incoming:
    """A file on its way to us."""

    def __init__(self, path, size, hashed=True):
        self.path, self.size = path, size
        self.file = open(path, 'wb')
        self.hash = hashlib.sha256() if hashed else None
        self.bytes = 0

    def take(self, data):
        self.file.write(data)
        if self.hash:
            self.hash.update(data)
        self.bytes += len(data)

    def whole(self):
        return self.size is not None and self.bytes >= self.size

    def end(self):
        self.file.close()
        tell('done', path=str(self.path), bytes=self.bytes,
             sha256=self.hash.hexdigest() if self.hash else '')


class Peer(ClientXMPP):
    def __init__(self, args):
        super().__init__(args.jid, args.password)
        self.args = args
        self.code = 1
        self.incoming = None
        self.taken = 0
        self.first = None
        self.ca_certs = args.ca
        for plugin in ('xep_0030', 'xep_0020', 'xep_0065', 'xep_0095',
                       'xep_0096', 'xep_0199'):
            self.register_plugin(plugin)
        # slixmpp 1.8.3 registers this coroutine as a plain function, so that
        # no offer would ever be seen.
        self.remove_handler('SI Request')
        self.register_handler(CoroutineCallback(
            'SI Request', StanzaPath('iq@type=set/si'),
            self['xep_0095']._handle_request))
        self['xep_0047'].max_block_size = args.max_block
        if args.via == 'proxy':
            # slixmpp prefers in-band streams; lower comes first.
            self['xep_0095'].unregister_method(S5B)
            self['xep_0095'].register_method(S5B, 'xep_0065', 10)
        self.add_event_handler('session_start', self.start)
        self.add_event_handler('failed_all_auth', self.lost)
        self.add_event_handler('connection_failed', self.lost)

    def lost(self, why):
        tell('failed', text=str(why))
        self.finish(1)

    def finish(self, code):
        self.code = code
        self.disconnect()

    async def start(self, _event):
        self.send_presence(ppriority=0)
        await self.get_roster()
        if self.args.s5b != 'normal':
            self.remove_handler('Socks5 Bytestreams')
            self.watch('iq@type=set/socks', 'query', self.refuse_s5b)
        tell('online', jid=str(self.boundjid))
        try:
            await getattr(self, 'do_' + self.args.command)()
        except (IqError, IqTimeout) as error:
            tell('failed', condition=error.condition, text=str(error))
            self.finish(1)

    def watch(self, path, name, then):
        self.register_handler(Callback('watch ' + name, StanzaPath(path),
                                       then))

    def refuse_s5b(self, iq):
        tell('query', hosts=len(iq['socks']['streamhosts']))
        if self.args.s5b == 'notfound':
            reply = iq.reply()
            reply['type'] = 'error'
            reply['error']['type'] = 'cancel'
            reply['error']['condition'] = 'item-not-found'
            reply.send()

    # --- receive -----------------------------------------------------------

    async def do_receive(self):
        self.add_event_handler('si_request', self.offered)
        self.add_event_handler('ibb_stream_start', self.ibb_start)
        self.add_event_handler('ibb_stream_data', self.ibb_data)
        self.add_event_handler('ibb_stream_end', lambda _: self.end())
        self.add_event_handler('socks5_stream', self.s5b_start)
        self.add_event_handler('socks5_data', self.s5b_data)

    async def offered(self, iq):
        sid, file = iq['si']['id'], iq['si']['file']
        tell('offer', name=file['name'], size=file['size'], sid=sid,
             peer=str(iq['from']))
        if self.args.decline:
            return await self.decline(iq)
        size = int(file['size']) if file['size'] else None
        self.incoming = Incoming(Path(self.args.dir) / 'received', size,
                                 not self.args.no_hash)
        # Whatever was chosen, the other door is open as well.
        for plugin in ('xep_0047', 'xep_0065'):
            await self[plugin].api['preauthorize_sid'](self.boundjid, sid,
                                                       iq['from'])
        await self.answer(iq)

    async def answer(self, iq):
        try:
            # The reply is a result: nobody will answer it.
            await asyncio.wait_for(
                self['xep_0095'].accept(iq['from'], iq['si']['id']), 0.2)
        except (asyncio.TimeoutError, TypeError):
            pass

    async def decline(self, iq):
        try:
            await asyncio.wait_for(
                self['xep_0095'].decline(iq['from'], iq['si']['id']), 0.2)
        except (asyncio.TimeoutError, TypeError):
            pass

    def ibb_start(self, stream):
        tell('attempt', via='ibb', block_size=stream.block_size)

    def ibb_data(self, stream):
        self.moved(stream.read())

    def s5b_start(self, _connection):
        # Closed connections tell nothing: those it did not need close too.
        tell('attempt', via='proxy')
        if self.incoming.whole():
            self.end()

    def s5b_data(self, data):
        self.moved(data)
        if self.incoming and self.incoming.whole():
            self.end()

    def moved(self, data):
        if self.first is None:
            self.first = time.monotonic()
        self.incoming.take(data)

    def end(self):
        if self.incoming:
            self.incoming.end()
            self.incoming = None
            self.taken += 1
        if self.taken and self.taken == self.args.count:
            # The answer to the close is to be on its way first.
            self.loop.call_later(0.3, self.finish, 0)

    # --- send --------------------------------------------------------------

    async def do_send(self):
        path = Path(self.args.file)
        data = path.read_bytes()
        sid = await self.request(path.name, len(data))
        begun = time.monotonic()
        if self.args.via == 'proxy':
            await self.send_s5b(sid, data)
        else:
            await self.send_ibb(sid, data)
        tell('done', bytes=len(data), seconds=time.monotonic() - begun,
             sha256='' if self.args.no_hash
             else hashlib.sha256(data).hexdigest())
        self.finish(0)

    async def request(self, name, size):
        from uuid import uuid4
        sid = uuid4().hex
        # A mapping, because slixmpp 1.8.3 chokes on its own default.
        reply = await self['xep_0096'].request_file_transfer(
            self.args.to, sid=sid, name=name, size=size,
            methods=[{'value': METHODS[self.args.via]}], timeout=30)
        chosen = reply['si']['feature_neg']['form'].get_values()
        tell('accepted', method=chosen.get('stream-method'))
        return sid

    async def send_ibb(self, sid, data):
        stream = await self['xep_0047'].open_stream(
            self.args.to, sid=sid, block_size=self.args.block,
            use_messages=self.args.stanza == 'message', timeout=20)
        tell('attempt', via='ibb', block_size=self.args.block)
        await stream.sendall(data, timeout=20)
        await stream.close(timeout=20)

    async def send_s5b(self, sid, data):
        sock = await self['xep_0065'].handshake(self.args.to, sid=sid,
                                                timeout=20)
        if sock is None:
            raise IqError(self.Iq())
        tell('attempt', via='proxy')
        await sock.write(data)
        if sock.transport.can_write_eof():
            sock.transport.write_eof()
        while sock.transport.get_write_buffer_size():
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)

    # --- ping ---------------------------------------------------------------

    async def do_ping(self):
        """What a person on chat would feel: one at a time, for as long as
        the other side is there."""
        while True:
            begun = time.monotonic()
            iq = self.make_iq_get(ito=self.args.to)
            iq['ping'] = 'now'
            try:
                await iq.send(timeout=60)
            except IqError:
                pass  # that, too, is an answer
            tell('pong', seconds=time.monotonic() - begun)
            await asyncio.sleep(1)

    # --- offer and do no more ----------------------------------------------

    async def do_offer(self):
        await self.request(self.args.name, self.args.size)
        self.finish(0)


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument('command', choices=['send', 'receive', 'offer', 'ping'])
    parser.add_argument('--jid', required=True)
    parser.add_argument('--password', required=True)
    parser.add_argument('--server', required=True)
    parser.add_argument('--ca')
    parser.add_argument('--via', choices=list(METHODS), default='ibb')
    parser.add_argument('--stanza', choices=['iq', 'message'], default='iq')
    parser.add_argument('--block', type=int, default=4096)
    parser.add_argument('--max-block', type=int, default=8192)
    parser.add_argument('--s5b', choices=['normal', 'silent', 'notfound'],
                        default='normal')
    parser.add_argument('--to')
    parser.add_argument('--file')
    parser.add_argument('--name')
    parser.add_argument('--size', type=int, default=1)
    parser.add_argument('--dir', default='.')
    parser.add_argument('--count', type=int, default=1)
    parser.add_argument('--decline', action='store_true')
    parser.add_argument('--no-hash', action='store_true')
    parser.add_argument('--debug', action='store_true')
    return parser.parse_args()


def main():
    args = options()
    logging.basicConfig(level=logging.DEBUG if args.debug else logging.ERROR)
    host, port = args.server.rsplit(':', 1)
    peer = Peer(args)
    peer.connect((host, int(port)), force_starttls=bool(args.ca),
                 disable_starttls=not args.ca)
    peer.process(forever=False)
    return peer.code


if __name__ == '__main__':
    sys.exit(main())
