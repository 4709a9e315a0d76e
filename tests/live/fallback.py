"""When no streamhost answers the file goes in-band, by itself and in time.

    fallback.py [PART OF A NAME]
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

from blackhole import Blackhole  # noqa: E402
from cases import Cases, only  # noqa: E402
from ferry import Desk, Unexpected, receive, send, slix  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import on_sigterm  # noqa: E402
from transfers import check_arrived, check_way, transfer  # noqa: E402

# How much later than due a process may be heard on a busy machine.
NOISE_S = 0.25


def between(what, took, least, most, program):
    if not least - 0.05 <= took <= most + NOISE_S:
        raise Unexpected(f'{what} after {took:.2f} s, not {least} to {most}\n'
                         + program.story())


def dead(hole):
    """Options of a sender none of whose streamhosts answers."""
    return ['--via', 'direct,ibb', '--address', hole.address]


def toward_slix(server, hole, s5b, options, least, most):
    """From the query's arrival to the open's, as the other side has it."""
    sender, receiver = server.pair()
    with Desk() as desk:
        path = desk.file()
        with slix(server, receiver, 'receive', '--via', 'proxy', '--s5b',
                  s5b, '--dir', desk.into) as taker, \
                send(server, sender, path, receiver.full, *dead(hole),
                     *options) as giver:
            giver.expect(0)
            taker.expect(0)
            check_way(giver, 'ibb')
            took = taker.find('attempt', via='ibb')['t'] - \
                taker.find('query')['t']
            between('in-band', took, least, most, taker)


def two_xferrys(server, hole, options, least, most, **more):
    """By the sender's own words; it tells an attempt when it begins."""
    giver, taker = transfer(server, sender_options=[*dead(hole), *options],
                            via=None, **more)
    check_way(giver, 'ibb')
    check_way(taker, 'ibb')
    begun = giver.find('attempt', via='direct', state='trying')['t']
    took = giver.find('attempt', via='ibb', state='open')['t'] - begun
    between('in-band', took, least, most, giver)


def in_no_time(server, hole):
    giver, _ = transfer(server, 597, sender_options=dead(hole), via=None)
    check_way(giver, 'ibb')
    took = giver.find('done')['t'] - giver.find('accepted')['t']
    between('done', took, 1, 2, giver)


def refused_at_once(server):
    """A host that refuses costs no wait."""
    from server import free_port
    giver, _ = transfer(
        server, sender_options=['--via', 'direct,ibb', '--address',
                                f'127.0.0.1:{free_port()}'])
    check_way(giver, 'ibb')
    took = giver.find('done')['t'] - giver.find('accepted')['t']
    between('done', took, 0, 2, giver)


def proxy_after_dead_direct(server, hole):
    """The proxy is tried beside the dead address, not after its time."""
    giver, _ = transfer(server, sender_options=['--address', hole.address])
    check_way(giver, 'proxy')
    took = giver.find('attempt', via='proxy', state='open')['t'] - \
        giver.find('accepted')['t']
    between('by proxy', took, 0, 2, giver)


def classic(server, hole, sender_too, receiver_too):
    """The founding document's dialect, at both ends or one."""
    words = ['--dialect', 'spark-classic']
    giver, _ = transfer(server, 597, name='RunSpark.lnk',
                        sender_options=dead(hole) +
                        (words if sender_too else []),
                        receiver_options=words if receiver_too else [])
    check_way(giver, 'ibb')


def eight_steps(server, hole):
    """The conversation the founding document shows, step by step."""
    words = ['--dialect', 'spark-classic']
    giver, _ = transfer(server, 597, name='RunSpark.lnk',
                        sender_options=[*dead(hole), *words, '--trace',
                                        '--timeout', '2'],
                        receiver_options=words)
    text = '\n'.join(giver.errors)
    steps = re.findall(r'^(\d+)- \S+ (\w+)', text, re.M)
    assert steps == [(str(i), word) for i, word in enumerate(
        ['offers', 'accepts', 'tells', 'proposes', 'acknowledges', 'sends',
         'closes', 'acknowledges'], 1)], f'{steps}\n{text}'
    for part in (r'type="list-multi"', r'bytestreams</value>\s*<value>',
                 r'<open [^>]*block-size="4096"></open>',
                 r'<message id="[^"]*_0"[^>]*>\s*<data [^>]*seq="0"'):
        assert re.search(part, text), f'no {part}\n{text}'
    assert 'stanza="' not in text, text


def only_ibb(server):
    """Nobody tries what is not allowed, and no address is told."""
    sender, receiver = server.pair()
    with Desk() as desk:
        path = desk.file()
        with receive(server, receiver, desk.into) as taker, \
                send(server, sender, path, receiver.full, '--via', 'ibb') \
                as giver:
            giver.expect(0)
            taker.expect(0)
            check_arrived(desk, path, taker)
            for program in (giver, taker):
                ways = {event['via'] for event in program.events
                        if event['event'] == 'attempt'}
                assert ways == {'ibb'}, program.story()


def no_way_left(server, hole):
    """Direct alone, and dead: one error that names what was tried."""
    sender, receiver = server.pair()
    with Desk() as desk:
        with receive(server, receiver, desk.into) as taker, \
                send(server, sender, desk.file(), receiver.full, '--via',
                     'direct', '--timeout', '3', '--address',
                     hole.address) as giver:
            giver.expect(30)
            text = giver.find('failed')['text']
            assert hole.host in text, giver.story()
            taker.code()
            assert not taker.find('done'), taker.story()
        assert desk.received() == [], desk.received()


def main():
    on_sigterm()
    cases = Cases()
    with Prosody() as server, Blackhole() as hole:
        cases.add('a silent target: in-band within 0.5 s after 15 s',
                  toward_slix, server, hole, 'silent', [], 15, 15.5)
        cases.add('a silent target, --timeout 3: within 0.5 s after 3 s',
                  toward_slix, server, hole, 'silent', ['--timeout', '3'], 3,
                  3.5)
        cases.add('item-not-found: in-band at once', toward_slix, server,
                  hole, 'notfound', [], 0, 0.5)
        cases.add('two xferrys: in-band 1 to 1.5 s after the query',
                  two_xferrys, server, hole, [], 1, 1.5)
        cases.add('two xferrys: 597 bytes done within 2 s', in_no_time,
                  server, hole)
        with Blackhole('127.9.9.8') as second, \
                Blackhole('127.9.9.7') as third:
            more = ['--address', second.address, '--address', third.address]
            cases.add('two xferrys, three dead hosts: 1 to 1.5 s',
                      two_xferrys, server, hole, more, 1, 1.5)
            cases.add('spark-classic at both ends, dead streamhosts',
                      classic, server, hole, True, True)
            cases.add('spark-classic is the eight steps of its document',
                      eight_steps, server, hole)
            cases.add('spark-classic at the sender only', classic, server,
                      hole, True, False)
            cases.add('spark-classic at the receiver only', classic, server,
                      hole, False, True)
            cases.add('a host that refuses costs no wait', refused_at_once,
                      server)
            cases.add('a proxy is reached beside a dead address',
                      proxy_after_dead_direct, server, hole)
            cases.add('--via ibb tries nothing else', only_ibb, server)
            cases.add('--via direct alone, dead, ends with 30', no_way_left,
                      server, hole)
            server.failed = cases.run(8, only()) > 0
        return 1 if server.failed else 0


if __name__ == '__main__':
    sys.exit(main())
