"""Servers that limit: a file passes in-band at whatever rate, how long it will
take is told before, and nothing times out while a block still moves.

    limits.py [PART OF A NAME]
"""

import sys
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

from cases import Cases, only  # noqa: E402
from ejabberd import Ejabberd  # noqa: E402
from ferry import Desk, Unexpected, receive, send, slix  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import on_sigterm  # noqa: E402
from shaper import Shaper  # noqa: E402
from transfers import check_arrived, check_way  # noqa: E402

IBB = ['--via', 'ibb']
# Two stanzas of two seconds each may be on their way before a chat's.
CHAT_S = 6
PATIENCE_S = 150


class At:
    """A server as seen through a relay."""

    def __init__(self, server, relay):
        self.address, self.tls, self.ca = relay.address, None, None
        self.pair = server.pair


def check_forecast(giver, size, within):
    """What was told before agrees with what then came."""
    trying = giver.find('attempt', via='ibb', state='trying')
    opened = giver.find('attempt', via='ibb', state='open')
    done = giver.find('done')
    for event in (trying, opened):
        if not event or 'forecast' not in event:
            raise Unexpected(f'no forecast\n{giver.story()}')
    took = done['t'] - opened['t']
    if not took * (1 - within) <= opened['forecast'] <= took * (1 + within):
        raise Unexpected(f'{opened["forecast"]} s forecast, {took:.1f} s took'
                         f'\n{giver.story()}')
    if abs(opened['rate'] * opened['forecast'] - size) > size / 5:
        raise Unexpected(f'rate and forecast disagree\n{giver.story()}')
    print(f'# {size} bytes: {opened["forecast"]:.1f} s forecast, '
          f'{took:.1f} s took', file=sys.stderr)


def in_band(server, size, options=IBB, chat=None, at=None):
    """From one xferry to another; returns the sender, ended. `chat` is a
    third account that pings the sender meanwhile."""
    sender, receiver = server.pair()
    with Desk() as desk, ExitStack() as stack:
        path = desk.file(size)
        taker = stack.enter_context(receive(server, receiver, desk.into))
        giver = stack.enter_context(
            send(at or server, sender, path, receiver.full, *options))
        if chat:
            pinger = stack.enter_context(
                slix(server, chat, 'ping', '--to', sender.full))
        giver.expect(0, PATIENCE_S)
        taker.expect(0)
        check_way(giver, 'ibb')
        check_arrived(desk, path, taker)
        if chat:
            check_chat(giver, pinger)
        return giver


def check_chat(giver, pinger):
    opened = giver.find('attempt', via='ibb', state='open')
    done = giver.find('done')
    pongs = [event for event in pinger.events if event['event'] == 'pong'
             and opened['t'] < event['t'] < done['t']]
    slowest = max((event['seconds'] for event in pongs), default=None)
    if slowest is None or slowest > CHAT_S:
        raise Unexpected(f'answers to a ping took {slowest} s\n'
                         + pinger.story())
    print(f'# {len(pongs)} pings, the slowest took {slowest:.1f} s',
          file=sys.stderr)


def prosody_shipped(server):
    giver = in_band(server, 300_000, chat=server.strangers()[0])
    check_forecast(giver, 300_000, 0.3)


def ejabberd_shipped(server):
    check_forecast(in_band(server, 60_000), 60_000, 0.4)


def bytestream_first(server):
    """Where a bytestream works the server's rate is nobody's business."""
    sender, receiver = server.pair()
    with Desk() as desk:
        path = desk.file(1_000_000)
        with receive(server, receiver, desk.into) as taker, \
                send(server, sender, path, receiver.full) as giver:
            giver.expect(0)
            taker.expect(0)
            check_way(giver, 'direct')
            took = giver.find('done')['t'] - giver.find('accepted')['t']
            assert took < 2, giver.story()


def no_limit(server):
    """None is found where there is none, and none is told."""
    giver = in_band(server, 1_000_000)
    opened = giver.find('attempt', via='ibb', state='open')
    assert 'forecast' not in opened and 'rate' not in opened, giver.story()


def announced_stanza_limit(server, relay):
    """XEP-0478; the server itself closes the connection over a larger one."""
    giver = in_band(server, 100_000, at=At(server, relay))
    opened = giver.find('attempt', via='ibb', state='open')
    assert opened['block_size'] < 20_000 * 3 / 4, giver.story()
    assert 0 < relay.largest <= 20_000, relay.largest


def pauses(server, relay):
    """20 kB/s, and twice nothing at all for 20 s: slow, not dead."""
    giver = in_band(server, 250_000, at=At(server, relay))
    opened = giver.find('attempt', via='ibb', state='open')
    assert opened.get('rate'), giver.story()


LIMITS = "<limits xmlns='urn:xmpp:stream-limits:0'>" \
         '<max-bytes>20000</max-bytes></limits>'


def main():
    on_sigterm()
    cases = Cases()
    with ExitStack() as stack:
        def enter(one):
            return stack.enter_context(one)
        slow = enter(Prosody(limits=True, pairs=2))
        slower = enter(Ejabberd(limits=True, pairs=2))
        free = enter(Prosody(pairs=2, strangers=0))
        plain = enter(Prosody(tls=None, pairs=4, stanza_limit=20_000))
        announcing = enter(Shaper(plain, features=LIMITS))
        clear = enter(Prosody(tls=None, pairs=2, strangers=0))
        pausing = enter(Shaper(clear, rate=20_000,
                               pauses=[(80_000, 20), (200_000, 20)]))
        cases.add('Prosody as shipped: 300 kB arrive as forecast, and a chat '
                  'gets through', prosody_shipped, slow)
        cases.add('ejabberd as shipped: 60 kB arrive as forecast',
                  ejabberd_shipped, slower)
        cases.add('a limiting server does not delay a bytestream',
                  bytestream_first, slow)
        cases.add('no rate is told where there is no limit', no_limit, free)
        cases.add('no stanza is larger than the server announces',
                  announced_stanza_limit, plain, announcing)
        cases.add('a server that pauses for 20 s is no stall', pauses,
                  clear, pausing)
        failed = cases.run(6, only()) > 0
        for server in (slow, slower, free, plain, clear):
            server.failed = failed
        return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
