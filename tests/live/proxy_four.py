"""Four proxies, each on a host of its own, behind one server: its users share
them. One is killed, and its transfers go on; one falls silent.

    proxy_four.py prosody|ejabberd [PART OF A NAME | all]
"""

import sys
import time
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'rig'))

import lan  # noqa: E402
import netns  # noqa: E402
from cases import Cases, Skip  # noqa: E402
from component import ComponentServer  # noqa: E402
from ejabberd import Ejabberd  # noqa: E402
from ferry import Desk, Unexpected, receive, send  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import COMPONENT_SECRET, free_port, on_sigterm  # noqa: E402
from transfers import check_arrived  # noqa: E402
from xproxy import Proxy, pattern, receive_exactly  # noqa: E402

SERVERS = {'prosody': Prosody, 'ejabberd': Ejabberd}
NAMES = ['p1', 'p2', 'p3', 'p4']
TRANSFERS = 10
MIB = 1 << 20
SIZE = 4 * MIB
RATE = '2M'
PATIENCE_S = 120
ALL = 'all' in sys.argv


def check(holds, words):
    if not holds:
        raise Unexpected(words)


def proxy_on(host, server, jid, secret, **settings):
    return Proxy(server, jid, secret, host=host.address, wrap=host.inside,
                 server_remote='yes', advertise=host.address, **settings)


def opened(program):
    """By whom the bytes went, in order."""
    return [event.get('host') or event['via'] for event in program.events
            if event.get('event') == 'attempt' and event['state'] == 'open']


def shared_and_killed(kind):
    with ExitStack() as stack:
        wires = stack.enter_context(lan.Lan())
        server = stack.enter_context(
            kind(pairs=TRANSFERS, strangers=0, own_proxy=False,
                 components=NAMES, component_host=lan.HERE))
        proxies = [stack.enter_context(
            proxy_on(wires.host(), server.component_address,
                     f'{name}.{server.domain}', COMPONENT_SECRET,
                     allow=server.domain, rate_per_pair=RATE))
            for name in NAMES]
        running = []
        for _ in range(TRANSFERS):
            sender, receiver = server.pair()
            desk = stack.enter_context(Desk())
            path = desk.file(SIZE)
            taker = stack.enter_context(
                receive(server, receiver, desk.into, ready=False))
            running.append((desk, path, taker, sender, receiver))
        for i, (desk, path, taker, sender, receiver) in enumerate(running):
            taker.wait('online')
            giver = stack.enter_context(
                send(server, sender, path, receiver.full, '--via',
                     'proxy,ibb'))
            running[i] = desk, path, taker, giver
        for *_, giver in running:
            giver.wait('attempt', state='open')
        loads = {proxy.jid: 0 for proxy in proxies}
        for *_, giver in running:
            loads[opened(giver)[0]] += 1
        print(f'# {loads}', file=sys.stderr)
        # Chance leaves one of four out now and then, never all but one.
        check(sum(load > 0 for load in loads.values()) >= 2, str(loads))
        unlucky = max(proxies, key=lambda proxy: loads[proxy.jid])
        unlucky.kill()
        moved = 0
        for desk, path, taker, giver in running:
            giver.expect(0, PATIENCE_S)
            taker.expect(0, PATIENCE_S)
            check_arrived(desk, path, taker)
            went = opened(giver)
            if went[0] == unlucky.jid:
                moved += 1
                check(len(went) > 1 and went[-1] != unlucky.jid, str(went))
            else:
                check(len(went) == 1, str(went))
        check(moved == loads[unlucky.jid], f'{moved} went on')


def silent_host(limit_s=120):
    """The network is cut without a word: the pair is dropped in time, and
    the one beside it is not touched."""
    if not ALL:
        raise Skip('it takes two minutes: proxy_four.py prosody all')
    with lan.Lan() as wires, \
            ComponentServer(host=lan.HERE, port=free_port()) as server:
        host, user = wires.host(), wires.host()
        del user
        with proxy_on(host, server.address, server.domain, server.secret) \
                as proxy:
            link = server.link()
            a, b = proxy.pair(link, 'cut')
            a.sendall(pattern(1000))
            receive_exactly(b, 1000)
            begun = time.monotonic()
            host.cut()
            # Seen from within: its log comes by a pipe, not by the network.
            line = proxy.wait('reason=gone', limit_s + 10)
            took = time.monotonic() - begun
            print(f'# gone after {took:.0f} s: {line}', file=sys.stderr)
            check(took <= limit_s, f'{took:.0f} s')


def main():
    kind = SERVERS[sys.argv[1]]
    netns.enter()
    on_sigterm()
    cases = Cases()
    cases.add(f'four proxies behind {kind.kind} share its users, and one is '
              'killed', shared_and_killed, kind, alone=True)
    cases.add('a pair whose network falls silent is dropped in 120 s',
              silent_host, alone=True)
    only = [word for word in sys.argv[2:] if word != 'all']
    return 1 if cases.run(only=(only or [None])[0]) else 0


if __name__ == '__main__':
    sys.exit(main())
