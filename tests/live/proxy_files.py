"""Files through our proxy, as a component of a real server: between two
xferrys, with slixmpp and with libpurple; the server is restarted, the proxy
is killed.

    proxy_files.py prosody|ejabberd [PART OF A NAME]
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'rig'))
sys.path.insert(0, str(HERE.parent / 'interop'))

import netns  # noqa: E402
import purple  # noqa: E402
from cases import Cases, Skip  # noqa: E402
from ejabberd import Ejabberd  # noqa: E402
from ferry import Desk, Unexpected, receive, send  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import COMPONENT_SECRET, on_sigterm  # noqa: E402
from transfers import (  # noqa: E402
    check_arrived, check_way, from_slix, to_slix, transfer)
from xproxy import Proxy  # noqa: E402

SERVERS = {'prosody': Prosody, 'ejabberd': Ejabberd}
ACTIVATED = 'xferry_proxy_pairs_activated_total'
MIB = 1 << 20
E_AUTH = 10
PATIENCE_S = 120


def check(holds, words):
    if not holds:
        raise Unexpected(words)


def component(server, name='xferry', **settings):
    """Our proxy at that server."""
    settings.setdefault('advertise', '127.0.0.1')
    return Proxy(server.component_address, f'{name}.{server.domain}',
                 COMPONENT_SECRET, allow=server.domain, **settings)


@contextmanager
def counted(proxy, at_least):
    """So many pairs more have been activated."""
    before = proxy.metrics()[ACTIVATED]
    yield
    grown = proxy.metrics()[ACTIVATED] - before
    check(grown >= at_least, f'{grown} pairs went through it')


def xferrys(server, proxy):
    a, b = server.pair()
    with counted(proxy, 3):
        for size, pair in ((300_000, (a, b)), (597, (b, a)),
                           (20 * MIB, (a, b))):
            giver, _ = transfer(server, size, 'proxy', pair=pair)
            tried = [event.get('host') for event in giver.events
                     if event['event'] == 'attempt']
            check(tried and set(tried) <= {proxy.jid}, str(tried))


def slixmpp(server, proxy):
    with counted(proxy, 2):
        to_slix(server, 'proxy', options=['--via', 'proxy'],
                slix_options=['--via', 'proxy'])
        from_slix(server, 'proxy', slix_options=['--via', 'proxy'])


def purple_cells(server, proxy):
    """It sends and closes before the activation, also what is small."""
    if shutil.which('pkg-config') is None or subprocess.run(
            ['pkg-config', '--exists', 'purple']).returncode:
        raise Skip('libpurple-dev is not installed')
    to, by = True, False
    cells = [
        purple.Cell(to, 'proxy', 'ours refuse',
                    purple.listen(netns.REFUSING)),
        purple.Cell(by, 'proxy', 'its hosts refuse', purple=purple.REFUSING),
        *[purple.Cell(by, 'proxy', f'{size} bytes', ['--via', 'proxy'],
                      size=size) for size in (1, 597, 5_000, 5_000_000)],
    ]
    with tempfile.TemporaryDirectory(prefix='xferry-purple-') as folder, \
            counted(proxy, len(cells)):
        bench = purple.Bench(purple.build(Path(folder)), False)
        for cell in cells:
            row = cell.play(bench, server)
            check(row['result'] == 'ok', f'{row["when"]}: {row["reason"]}')


def until_half(desk, size, giver):
    end = time.monotonic() + 60
    while True:
        parts = [(desk.into / name).stat().st_size
                 for name in desk.received() if name.endswith('.part')]
        if parts and parts[0] > size // 3:
            return
        if giver.process.poll() is not None or time.monotonic() > end:
            raise Unexpected(giver.story())
        time.sleep(0.005)


def by_hand(kind, then, settings=None, options=()):
    """A transfer of some seconds; `then` is done at a third of it."""
    size = 9 * MIB
    with kind(pairs=1, strangers=0, own_proxy=False,
              components=['xferry']) as server, \
            component(server, rate_per_pair='3M', **(settings or {})) \
            as proxy, Desk() as desk:
        sender, receiver = server.pair()
        path = desk.file(size)
        with receive(server, receiver, desk.into) as taker, \
                send(server, sender, path, receiver.full, *options) as giver:
            until_half(desk, size, giver)
            then(server, proxy)
            try:
                giver.expect(0, PATIENCE_S)
                taker.wait('done', PATIENCE_S)
            except Unexpected as error:
                raise Unexpected(f'{error}\n{taker.story()}\n'
                                 f'{proxy.story()}') from None
            check_arrived(desk, path, taker)
            check(taker.find('done')['verified'], taker.story())
        return giver, proxy.lines


def server_restarts(kind):
    """The bytes do not notice: one stream, from the first to the last."""
    came_back = []

    def restart(server, proxy):
        server.restart()
        proxy.wait('component: online', count=2)
        came_back.append(proxy.metrics()[ACTIVATED])

    giver, _ = by_hand(kind, restart, options=['--via', 'proxy'])
    opened = [e for e in giver.events
              if e['event'] == 'attempt' and e['state'] == 'open']
    check(len(opened) == 1 and came_back == [1], giver.story())


def killed(kind):
    """Another rung carries on; started again there is nothing to repair."""
    def kill(_server, proxy):
        proxy.kill()

    giver, _ = by_hand(kind, kill, options=['--via', 'proxy,ibb'])
    opened = [e['via'] for e in giver.events
              if e['event'] == 'attempt' and e['state'] == 'open']
    check(opened == ['proxy', 'ibb'], giver.story())


@contextmanager
def told(proxy):
    """What the proxy said stands with what went wrong."""
    try:
        yield
    except Unexpected as error:
        raise Unexpected(f'{error}\n{proxy.story()}') from None


def killed_and_started(server):
    """The same files, ports and sockets do for the next start."""
    with component(server, 'again') as proxy, told(proxy):
        for _ in range(3):
            transfer(server, 100_000, 'proxy', pair=server.pair(),
                     sender_options=['--proxy', proxy.jid])
            proxy.kill()
            proxy.start()
            # ejabberd may still route to the connection that was killed.
            time.sleep(1)
        with counted(proxy, 1):
            giver, _ = transfer(server, 100_000, 'proxy',
                                sender_options=['--proxy', proxy.jid])
            check_way(giver, 'proxy')


def wrong_secret(server):
    proxy = Proxy(server.component_address, f'again2.{server.domain}',
                  'another', allow=server.domain, ready=False)
    with proxy:
        check(proxy.code() == E_AUTH, proxy.story())


def unknown_host(server):
    proxy = Proxy(server.component_address, 'nobody.example.org',
                  COMPONENT_SECRET, allow=server.domain, ready=False)
    with proxy:
        check(proxy.code() == E_AUTH, proxy.story())


def main():
    kind = SERVERS[sys.argv[1]]
    netns.enter()
    on_sigterm()
    cases = Cases()
    over = f'over {kind.kind}'
    with kind(own_proxy=False, components=['xferry', 'again', 'again2']) \
            as server, component(server) as proxy:
        cases.add(f'between two xferrys {over}', xferrys, server, proxy)
        cases.add(f'with slixmpp {over}', slixmpp, server, proxy)
        cases.add(f'with libpurple {over}', purple_cells, server, proxy)
        cases.add(f'{kind.kind} restarts and the file goes on',
                  server_restarts, kind)
        cases.add(f'killed, another rung carries on {over}', killed, kind)
        cases.add(f'killed and started again it works {over}',
                  killed_and_started, server, alone=True)
        cases.add(f'{kind.kind} refuses a wrong secret', wrong_secret, server)
        cases.add(f'{kind.kind} refuses a host it does not know',
                  unknown_host, server)
        server.failed = cases.run(only=(sys.argv[2:] or [None])[0]) > 0
        return 1 if server.failed else 0


if __name__ == '__main__':
    sys.exit(main())
