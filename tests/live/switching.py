"""A stream that breaks is followed by another, by itself, from where it broke;
a file that changed, or came altered, is not delivered.

    switching.py [PART OF A NAME]
"""

import os
import signal
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

from cases import Cases, only  # noqa: E402
from ferry import Desk, Unexpected, receive, send  # noqa: E402
from prosody import Prosody  # noqa: E402
from relay import Behind, Relay  # noqa: E402
from server import free_port, on_sigterm  # noqa: E402
from transfers import check_arrived  # noqa: E402

MB = 1_000_000
SANITIZED = os.environ.get('XFERRY_SANITIZED') == '1'
SIZE = (20 if SANITIZED else 60) * MB
SMALL = 6 * MB
SHORT = ['--stall', '9']
PATIENCE_S = 90
# The address of the proxy is one at a time.
by_proxy = threading.Lock()


class Broken:
    """A transfer with a relay in front of each way that is to break.

    direct, proxy, server  (byte, how) of the relay, or None
    """

    def __init__(self, server, size, direct=None, proxy=None, link=None,
                 options=(), sender_options=()):
        self.server, self.size = server, size
        self.direct, self.proxy, self.link = direct, proxy, link
        self.options, self.sender_options = options, sender_options
        self.relays = {}

    def __enter__(self):
        with ExitStack() as stack:
            self._enter(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *why):
        return self._stack.__exit__(*why)

    def _relay(self, stack, way, target, fault, **options):
        at, how = fault
        self.relays[way] = stack.enter_context(
            Relay(target, at, how, **options))
        return self.relays[way]

    def _enter(self, stack):
        server = self.server
        sender, receiver = server.pair()
        self.desk = stack.enter_context(Desk())
        self.path = self.desk.file(self.size)
        words = []
        if self.direct:
            port = free_port()
            relay = self._relay(stack, 'direct', ('127.0.0.1', port),
                                self.direct)
            words += ['--address', relay.address, '--listen-port', str(port)]
        if self.proxy:
            stack.enter_context(by_proxy)
            self._relay(stack, 'proxy', ('127.0.0.1', server.proxy_port),
                        self.proxy, host=server.proxy_host,
                        port=server.proxy_port)
        if self.link:
            relay = self._relay(stack, 'link', ('127.0.0.1', server.port),
                                self.link)
            server = Behind(server, relay)
        self.taker = stack.enter_context(
            receive(self.server, receiver, self.desk.into, *self.options))
        self.giver = stack.enter_context(
            send(server, sender, self.path, receiver.full, *words,
                 *self.options, *self.sender_options))

    def arrives(self):
        """Whole, by both ends' words; nobody had to be asked again."""
        self.giver.expect(0, PATIENCE_S)
        self.taker.expect(0, PATIENCE_S)
        check_arrived(self.desk, self.path, self.taker)
        done = self.giver.find('done')
        assert done['verified'] and done['confirmed'], self.giver.story()
        assert self.taker.find('done')['verified'], self.taker.story()
        assert done['bytes'] == self.size, self.giver.story()
        for program in (self.giver, self.taker):
            offers = [e for e in program.events if e['event'] == 'offer']
            assert len(offers) == 1, program.story()

    def ends(self, giver, taker):
        """With these codes, and nothing is kept."""
        self.giver.expect(giver, PATIENCE_S)
        self.taker.expect(taker, 5)
        assert self.desk.received() == [], self.desk.received()

    def ways(self, *wanted, lost=False):
        """The ways that carried bytes, and from which hundredth on; or from
        less, where what was on its way may be `lost`."""
        for program in (self.giver, self.taker):
            had = [(e['via'], 100 * e['offset'] / self.size)
                   for e in program.events
                   if e['event'] == 'attempt' and e['state'] == 'open']
            same = len(had) == len(wanted) and all(
                via == way and (abs(at - percent) < 3 or (lost and at < percent))
                for (via, at), (way, percent) in zip(had, wanted))
            if not same:
                raise Unexpected(f'went {had}, not {wanted}\n'
                                 + program.story())


# --- breaks ----------------------------------------------------------------------


def three_ways(server):
    size = 60 * MB
    third = int(0.3 * size)
    with Broken(server, size, direct=(third, 'fin'),
                proxy=(third, 'stop')) as broken:
        broken.arrives()
        # The kernel and the proxy may each have had some of it in hand when
        # the next offer came.
        broken.ways(('direct', 0), ('proxy', 30), ('ibb', 60), lost=True)
        for via, least in (('proxy', 0.15), ('ibb', 0.35)):
            begun = broken.taker.find('attempt', via=via, state='open')
            assert begun['offset'] > least * size, broken.taker.story()


def breaks(server, way, how, then):
    size = SMALL if then == 'ibb' else SIZE
    fault = {way: (int(0.3 * size), how)}
    options = SHORT if how == 'hole' else []
    with Broken(server, size, options=options,
                sender_options=['--via', f'{way},{then}'],
                **fault) as broken:
        broken.arrives()
        # Its sender is told before the receiver has read what came.
        broken.ways((way, 0), (then, 30), lost=how != 'hole'
                    or way == 'proxy')
        took = broken.giver.find('attempt', via=then, state='trying')['t'] - \
            broken.giver.find('attempt', via=way, state='open')['t']
        print(f'# {way}, {how}: {then} after {took:.2f} s')
        # A third of --stall; twice, when all of it left before it broke.
        most = 8 if how == 'hole' else 2
        if SANITIZED:
            most *= 2
        assert took < most, broken.giver.story()
        assert how != 'hole' or took > 3, broken.giver.story()


def only_way_left(server, how):
    """Where there is one way only it is tried once more."""
    with Broken(server, SIZE, direct=(int(0.3 * SIZE), how),
                sender_options=['--via', 'direct']) as broken:
        # Each connection of the relay breaks there, after so many bytes.
        broken.arrives()
        opened = [e for e in broken.giver.events
                  if e['event'] == 'attempt' and e['state'] == 'open']
        # A reset takes along what was on its way.
        most = 5 if how == 'rst' else 4
        assert 4 <= len(opened) <= most, broken.giver.story()


def held_still(server, options, breaks_off):
    """SIGSTOP for five seconds."""
    size = 60 * MB  # what is left is more than the kernel would hold
    with Broken(server, size, direct=(int(0.3 * size), 'hold'),
                options=options) as broken:
        assert broken.relays['direct'].reached.wait(30)
        broken.taker.signal(signal.SIGSTOP)
        broken.relays['direct'].go_on()
        time.sleep(5)
        broken.taker.signal(signal.SIGCONT)
        broken.arrives()
        failed = broken.giver.find('attempt', state='failed')
        assert bool(failed) == breaks_off, broken.giver.story()


# --- the file --------------------------------------------------------------------


def append(path):
    with open(path, 'ab') as file:
        file.write(b'more')


def truncate(path):
    os.truncate(path, path.stat().st_size - 1)


def rewrite(path):
    """The same size, and as if it had not been touched."""
    size = path.stat().st_size
    with open(path, 'r+b') as file:
        file.seek(size - 1000)
        file.write(os.urandom(1000))


def touch(path):
    os.utime(path, (1_000_000_000, 1_000_000_000))


def rename(path):
    path.rename(path.with_name('elsewhere'))


def changed(server, way, change):
    """Held in the middle while it changes."""
    size = SMALL if way == 'link' else SIZE
    via = 'ibb' if way == 'link' else way
    with Broken(server, size, **{way: (size // 2, 'hold')},
                sender_options=['--via', via]) as broken:
        assert broken.relays[way].reached.wait(30)
        change(broken.path)
        broken.relays[way].go_on()
        broken.giver.expect(43, 30)
        over = time.monotonic()
        broken.ends(43, 40)
        assert time.monotonic() - over < 3, broken.taker.story()


def unharmed(server, change):
    with Broken(server, SIZE, direct=(SIZE // 2, 'hold')) as broken:
        assert broken.relays['direct'].reached.wait(30)
        copy = broken.desk.out / 'copy'
        os.link(broken.path, copy)
        change(broken.path)
        broken.relays['direct'].go_on()
        broken.giver.expect(0, PATIENCE_S)
        broken.taker.expect(0, PATIENCE_S)
        name, broken.path = broken.path.name, copy
        check_arrived(broken.desk, copy, broken.taker, name)


def altered(server, way):
    """One bit, by whoever relays."""
    with Broken(server, SIZE, **{way: (SIZE // 2, 'flip')},
                sender_options=['--via', way]) as broken:
        broken.ends(42, 42)
        assert broken.relays[way].reached.is_set()
        assert broken.taker.find('failed')['verified'] is False
        for program in (broken.giver, broken.taker):
            assert program.find('failed')['code'] == 'E-HASH', \
                program.story()


def main():
    on_sigterm()
    cases = Cases()
    with Prosody(proxy_host='127.0.0.2') as server:
        cases.add('direct cut at 30 %, proxy at 60 %, the rest in-band: one '
                  'command, one file', three_ways, server)
        for way, then in (('direct', 'ibb'), ('proxy', 'ibb')):
            for how in ('fin', 'rst', 'hole'):
                cases.add(f'{way} broken by {how}: {then} goes on from there',
                          breaks, server, way, how, then)
        cases.add('a proxy that is stopped: direct goes on from there',
                  breaks, server, 'proxy', 'stop', 'direct')
        for how in ('fin', 'rst'):
            cases.add(f'the only way broken by {how}, three times: arrives',
                      only_way_left, server, how)
        cases.add('a receiver that stands still for 5 s: one stream',
                  held_still, server, [], False)
        cases.add('a receiver that stands still for more than a third of '
                  '--stall: arrives', held_still, server, SHORT, True)
        for change in (append, truncate, rewrite, touch):
            for way in ('direct', 'link'):
                cases.add(f'{change.__name__} of the file in the middle, '
                          f'{"in-band" if way == "link" else way}: 43 and 40 '
                          'at once, nothing kept', changed, server, way,
                          change)
        cases.add('a file that is renamed in the middle arrives', unharmed,
                  server, rename)
        cases.add('a file that is deleted in the middle arrives', unharmed,
                  server, os.unlink)
        for way in ('direct', 'proxy'):
            cases.add(f'one bit altered, {way}: 42 at both ends, nothing '
                      'kept', altered, server, way)
        server.failed = cases.run(5, only()) > 0
        return 1 if server.failed else 0


if __name__ == '__main__':
    sys.exit(main())
