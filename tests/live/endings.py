"""However a transfer ends, nothing wrong is left: no half file under its
name, no listener, no memory that grew with the file.

    endings.py [PART OF A NAME]
"""

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

from cases import Cases, Skip, only  # noqa: E402
from ferry import (  # noqa: E402
    Desk, Unexpected, interrupt, listeners, peak_rss_kib, receive, send)
from prosody import Prosody  # noqa: E402
from server import on_sigterm  # noqa: E402

GIB = 1 << 30
LIMIT_KIB = 32 << 10
BIG = (4 if os.environ.get('XFERRY_BIG') == '1' else 1) * GIB
SANITIZED = os.environ.get('XFERRY_SANITIZED') == '1'
GONE = (33, 34, 40)  # E-STALL, E-GONE, E-SHORT


class Halfway:
    """A transfer of a large file, its receiver held still in the middle."""

    def __init__(self, server, via):
        self.server, self.via = server, via

    def __enter__(self):
        sender, receiver = self.server.pair()
        self.desk = Desk().__enter__()
        path = self.desk.sparse(GIB)
        # A server that hopes for a resumption says nothing of who is gone.
        self.taker = receive(self.server, receiver, self.desk.into,
                             '--stall', '8')
        self.giver = send(self.server, sender, path, receiver.full, '--via',
                          self.via, '--stall', '8')
        self.giver.wait('attempt', state='open')
        while not any(event.get('bytes') for event in self.taker.events):
            if self.taker.process.poll() is not None:
                raise Unexpected(self.taker.story())
            time.sleep(0.01)
        return self

    def hold(self):
        self.taker.signal(signal.SIGSTOP)

    def go_on(self):
        self.taker.signal(signal.SIGCONT)

    def __exit__(self, *_):
        for program in (self.giver, self.taker):
            program.__exit__()
        self.desk.__exit__()

    def check_no_name(self):
        """Nothing under its name: a part, if any, and what it is of."""
        left = self.desk.received()
        stems = {Path(name).stem for name in left}
        assert all(name.startswith('.xf-') for name in left), left
        assert left == sorted(f'{stem}.{end}' for stem in stems
                              for end in ('journal', 'part')), left
        assert len(stems) <= 1, left


def sender_interrupted(server, via):
    with Halfway(server, via) as halfway:
        interrupt(halfway.giver)
        halfway.giver.expect(130, 15)
        code = halfway.taker.code()
        assert code in (*GONE, 35), halfway.taker.story()
        halfway.check_no_name()


def receiver_interrupted(server, via):
    with Halfway(server, via) as halfway:
        interrupt(halfway.taker)
        halfway.taker.expect(130, 15)
        code = halfway.giver.code()
        assert code not in (0, 130), halfway.giver.story()
        halfway.check_no_name()


def sender_killed(server, via):
    with Halfway(server, via) as halfway:
        halfway.hold()
        halfway.giver.kill()
        halfway.go_on()
        code = halfway.taker.code()
        assert code in GONE, halfway.taker.story()
        halfway.check_no_name()


def receiver_killed(server, via):
    with Halfway(server, via) as halfway:
        halfway.taker.kill()
        code = halfway.giver.code()
        assert code != 0, halfway.giver.story()
        halfway.check_no_name()


def no_listener(server):
    """Both are looked at while they live, as soon as they say done."""
    sender, receiver = server.pair()
    with Desk() as desk:
        with receive(server, receiver, desk.into, '--count', '2') as taker, \
                send(server, sender, desk.file(), receiver.full, '--via',
                     'direct') as giver:
            giver.wait('attempt', state='trying')
            giver.wait('done')
            giver.signal(signal.SIGSTOP)
            found = listeners(giver.pid)
            giver.signal(signal.SIGCONT)
            assert not found, found
            giver.expect(0)
            taker.wait('done')
            assert not listeners(taker.pid), listeners(taker.pid)
            interrupt(taker)
            taker.expect(130)


def little_memory(server):
    if SANITIZED:
        raise Skip('sanitizers keep what is freed')
    sender, receiver = server.pair()
    with Desk() as desk:
        path = desk.sparse(BIG)
        with receive(server, receiver, desk.into) as taker, \
                send(server, sender, path, receiver.full, '--via',
                     'direct') as giver:
            peaks = {giver: 0, taker: 0}
            while giver.process.poll() is None:
                for program in peaks:
                    try:
                        peaks[program] = max(peaks[program],
                                             peak_rss_kib(program.pid))
                    except OSError:
                        pass
                time.sleep(0.05)
            giver.expect(0)
            taker.expect(0)
            assert len([e for e in giver.events
                        if e['event'] == 'progress']) > 1, giver.story()
            size = (desk.into / path.name).stat().st_size
            assert size == BIG, size
            check_zeroes(desk.into / path.name)
            print(f'# {BIG // GIB} GiB: peaks {sorted(peaks.values())} KiB')
            assert 0 < min(peaks.values()), peaks.values()
            assert max(peaks.values()) < LIMIT_KIB, peaks.values()


def check_zeroes(path):
    """The sparse source is nothing but zeroes."""
    zeroes = bytes(1 << 22)
    with open(path, 'rb') as file:
        while chunk := file.read(1 << 22):
            assert chunk == zeroes[:len(chunk)]


def main():
    on_sigterm()
    cases = Cases()
    with Prosody() as server:
        for via in ('direct', 'proxy', 'ibb'):
            cases.add(f'the sender interrupted, {via}: 130, nothing under its name',
                      sender_interrupted, server, via)
            cases.add(f'the receiver interrupted, {via}: 130, nothing under its name',
                      receiver_interrupted, server, via)
            cases.add(f'the sender killed, {via}: said so, nothing under its name',
                      sender_killed, server, via)
            cases.add(f'the receiver killed, {via}: said so, nothing under its name',
                      receiver_killed, server, via)
        cases.add('after a transfer nobody of ours listens', no_listener,
                  server)
        cases.add(f'{BIG // GIB} GiB go with less than 32 MiB of memory',
                  little_memory, server, alone=True)
        server.failed = cases.run(only=only()) > 0
        return 1 if server.failed else 0


if __name__ == '__main__':
    sys.exit(main())
