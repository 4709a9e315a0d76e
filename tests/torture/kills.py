#!/usr/bin/python3
"""kill -9, at any time, of the one who sends, of the one who receives, or of
both; then the same command again, until the file is there.

    kills.py [XFERRY] [--kills N] [--seconds S] [--only WORD] [--seed N]

For each way of the bytes so many kills as have hit a running transfer. At the
end of each transfer: one file under its name, equal, no part, no journal, both
ends with status 0. Prints what it came to; --tap prints that for Meson.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

import ferry  # noqa: E402
from ejabberd import Ejabberd  # noqa: E402
from ferry import Desk, receive, send  # noqa: E402
from prosody import Prosody  # noqa: E402
from relay import Behind, Relay  # noqa: E402
from server import on_sigterm  # noqa: E402

MIB = 1 << 20
PATIENCE_S = 90
RESENT_MAX = 25  # percent
FEW = 50  # kills of which a share says nothing
# In-band a window of 1 MiB is in flight when its target is killed.
TIMES = {'direct': [1, 2, 3, 4, 6], 'proxy': [1, 2, 3, 4, 6], 'ibb': [1, 1, 2]}
SERVERS = {'prosody': Prosody, 'ejabberd': Ejabberd}
LANES = [('direct', 'prosody'), ('proxy', 'prosody'), ('ibb', 'prosody'),
         ('ibb', 'ejabberd')]
# A person would try again: nobody there, no way, silence, the other end gone.
GAVE_UP = (13, 30, 31, 33, 34, 40)
TRIES = 5
LARGEST = {'direct': 60 * MIB, 'proxy': 60 * MIB, 'ibb': 12 * MIB}


def is_alive(pid):
    """Not even a zombie. Does not reap it: what it wrote can still be read."""
    try:
        words = Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return False
    return words.rpartition(')')[2].split()[0] != 'Z'


def written(pid):
    """Bytes a program handed over by write and sendfile, not by send."""
    try:
        for line in Path(f'/proc/{pid}/io').read_text().splitlines():
            if line.startswith('wchar:'):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


class Wrong(Exception):
    """Not what had to come of a transfer."""


class Transfer:
    """One file, and everything done to it."""

    def __init__(self, lane, chance, desk, size):
        self.lane, self.chance, self.desk, self.size = lane, chance, desk, size
        self.path = desk.file(size, f'file-{size}.bin')
        self.sender = self.receiver = None
        self.had = []  # what happened, in words
        self.kills = self.logins = self.sent = self.again = 0
        self.begun = time.monotonic()

    def say(self, words):
        self.had.append(f'{time.monotonic() - self.begun:8.3f} {words}')

    def start_receiver(self):
        self.say('start receiver')
        self.receiver = receive(self.lane.server, self.lane.pair[1],
                                self.desk.into, ready=False)

    def start_sender(self):
        self.say('start sender')
        self.logins += 1
        self.sender = send(
            self.lane.sender_server, self.lane.pair[0], self.path,
            self.lane.pair[1].full, '--via', self.lane.via, '--wait', '20')

    def part(self):
        """Bytes in the part, or None when there is none."""
        for entry in os.scandir(self.desk.into):
            if entry.name.endswith('.part'):
                try:
                    return entry.stat().st_size
                except FileNotFoundError:
                    continue
        return None

    def has_name(self):
        return (self.desk.into / self.path.name).exists()

    # --- when -----------------------------------------------------------------

    def moment(self):
        """A condition that becomes true once, in words and as a function."""
        chance = self.chance.random()
        if chance < 0.55 and self.size > 65536:
            least = self.part() or 0
            bytes_ = self.chance.randrange(min(least, self.size - 1) + 1,
                                           self.size + 1)
            return (f'the part has {bytes_} bytes',
                    lambda: (self.part() or 0) >= bytes_)
        if chance < 0.7:
            after = self.chance.random() * self.chance.choice(
                [0.001, 0.005, 0.03])
            return self.later('every byte is there', after,
                              lambda: (self.part() == self.size
                                       or self.has_name()))
        if chance < 0.9:
            after = self.chance.random() * 0.15
            return self.later('a stream is open', after,
                              lambda: self.sender.find('attempt',
                                                       state='open'))
        after = self.chance.random() * 0.05
        return self.later('the offer has come', after,
                          lambda: self.receiver.find('offer'))

    @staticmethod
    def later(words, after, condition):
        due = []

        def reached():
            if not due and condition():
                due.append(time.monotonic() + after)
            return bool(due) and time.monotonic() >= due[0]
        return f'{words}, {after * 1000:.0f} ms ago', reached

    def wait_for(self, reached):
        """False: the transfer ended before."""
        while self.goes_on():
            if reached():
                return True
            self.check_time()
            time.sleep(0.0005)
        return False

    def goes_on(self):
        """Both are at it; who gave up as told, for the other was killed, is
        begun again."""
        if not is_alive(self.receiver.pid):
            if not self.gave_up(self.receiver):
                return False
            self.start_receiver()
        if not is_alive(self.sender.pid):
            if self.receiver.find('done') or not self.gave_up(self.sender):
                return False
            self.start_sender()
        return True

    def gave_up(self, program):
        self.close(program)
        code = program.process.returncode
        if code not in GAVE_UP or not self.kills or self.again >= TRIES:
            return False
        self.again += 1
        self.lane.gave_up(code)
        self.say(f'gave up: {code}')
        self.keep_stories([program])
        return True

    def check_time(self):
        if not self.lane.args.until:
            raise Wrong('stopped')
        if time.monotonic() > self.begun + PATIENCE_S:
            for one in (self.sender, self.receiver):
                one.kill()
            raise Wrong('does not end')

    # --- what -----------------------------------------------------------------

    def kill(self, program):
        """True when it was still at it."""
        alive = is_alive(program.pid)
        try:
            os.kill(program.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        while is_alive(program.pid):
            time.sleep(0.0002)
        self.close(program)
        return alive and not program.find('done')

    def close(self, program):
        """It has ended: count, reap, look for reports."""
        if program.process.returncode is not None:
            return
        if program is self.sender:
            self.sent += written(program.pid)
        program.code(10)
        for line in program.errors:
            if 'Sanitizer' in line or 'runtime error:' in line:
                raise Wrong('a sanitizer reports')

    def round(self):
        """One kill and a fresh start; False: it was over before."""
        words, reached = self.moment()
        if not self.wait_for(reached):
            return False
        victims = self.chance.choices(
            ['sender', 'receiver', 'both'], [45, 45, 10])[0]
        running = self.part() is not None or self.receiver.find('offer')
        self.say(f'kill {victims}: {words}; part {self.part()}, '
                 f'named {self.has_name()}')
        killed = [self.sender] if victims == 'sender' else \
            [self.receiver] if victims == 'receiver' else \
            [self.sender, self.receiver]
        hit = [self.kill(one) for one in killed]
        if running:
            self.kills += sum(hit)
            self.lane.count(sum(hit))
        self.keep_stories(killed)
        if self.receiver in killed and self.receiver.find('done'):
            return False
        self.say(f'killed; {sorted(os.listdir(self.desk.into))}')
        time.sleep(self.chance.choice([0, 0, 0.05, 0.3]))
        # Who was told that all is well is not to be sent for again.
        if self.receiver in killed:
            if self.sender not in killed and self.ended_well(self.sender):
                return False
            self.start_receiver()
        if self.sender in killed:
            if self.receiver.find('done'):
                return False
            self.start_sender()
        return True

    @staticmethod
    def ended_well(program):
        return program.find('done') is not None

    def keep_stories(self, programs):
        for one in programs:
            self.had.append(one.story())

    # --- the whole ---------------------------------------------------------------

    def run(self, rounds):
        self.start_receiver()
        self.receiver.wait('online')
        self.start_sender()
        for _ in range(rounds):
            if not self.round():
                break
        self.finish()

    def finish(self):
        """Both end by themselves; but one whose other end was killed when all
        was over waits for nobody."""
        while self.goes_on() or is_alive(self.sender.pid) \
                or is_alive(self.receiver.pid):
            self.check_time()
            for one, other in ((self.sender, self.receiver),
                               (self.receiver, self.sender)):
                if not is_alive(one.pid) and one.find('done') \
                        and is_alive(other.pid) and not self.finds(other):
                    self.say('the other end is over, and all is well')
                    self.kill(other)
            time.sleep(0.005)
        codes = [one.process.returncode if one.process.returncode is not None
                 else self.reaped(one) for one in (self.sender, self.receiver)]
        self.check(codes)

    def finds(self, program):
        """A moment more for the words that are on their way to it."""
        end = time.monotonic() + 3
        while time.monotonic() < end and is_alive(program.pid):
            time.sleep(0.01)
        return not is_alive(program.pid)

    def reaped(self, program):
        self.close(program)
        return program.process.returncode

    def check(self, codes):
        giver, taker = codes
        there = sorted(os.listdir(self.desk.into))
        # Killed between its word and the last file: it does no harm.
        told = giver == 0 or self.receiver.find('done')
        if taker == -9 and told and there[0].endswith('.journal'):
            self.lane.left += 1
            del there[0]
        if there != [self.path.name]:
            raise Wrong(f'{there} in the folder')
        if ferry.sha256(self.path) != \
                ferry.sha256(self.desk.into / self.path.name):
            raise Wrong('not the same file')
        if self.receiver.find('done') and taker not in (0, -9):
            raise Wrong(f'receiver: {taker}')
        # One that was begun when the file was already there finds nobody.
        if giver not in (0, -9) and not (self.receiver.find('done')
                                         and self.logins > 1
                                         and giver in (*GAVE_UP, 27)):
            raise Wrong(f'sender: {giver}')
        if giver != 0 and taker != 0 and not self.receiver.find('done'):
            raise Wrong(f'sender {giver}, receiver {taker}: nobody knows')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in (self.sender, self.receiver):
            if one:
                one.kill()

    def story(self):
        words = [*self.had]
        for one in (self.sender, self.receiver):
            if one:
                words.append(one.story())
        words.append(f'in the folder: {sorted(os.listdir(self.desk.into))}')
        return '\n'.join(words)


class Lane:
    """Transfers one way, one after the other, and what came of them."""

    def __init__(self, via, kind, server, args):
        self.via, self.kind, self.server, self.args = via, kind, server, args
        self.name = f'{via} over {kind}'
        self.pair = server.pair()
        self.sender_server = server
        self.relay = None
        self.transfers = self.kills = self.sizes = self.resent = 0
        self.left = 0  # journals of a file that was delivered
        self.wrong, self.codes = [], []
        self.base, self.factor = 0, 1.0
        self._lock = threading.Lock()

    def count(self, kills):
        with self._lock:
            self.kills += kills

    def gave_up(self, code):
        with self._lock:
            self.codes.append(code)

    def size(self, chance):
        largest = LARGEST[self.via]
        if chance.random() < 0.12:
            return chance.choice([1, 2, 4096, 65534, 65535, 65536, MIB])
        if chance.random() < 0.3:
            return int(2 ** chance.uniform(0, largest.bit_length() - 1))
        return chance.randrange(MIB, largest)

    def sent_by(self, transfer):
        """Bytes of the file that have left, some of them twice."""
        if not self.relay:
            return transfer.sent
        up, self.relay.moved = self.relay.up(), {}
        return max(0, up - transfer.logins * self.base) / self.factor

    def calibrate(self):
        """In-band the bytes are counted with what is around them."""
        chance = random.Random(0)
        for size in (1, 3 * MIB):
            with Desk() as desk, Transfer(self, chance, desk, size) as one:
                one.run(0)
                up, self.relay.moved = self.relay.up(), {}
                if size == 1:
                    self.base = up
                else:
                    self.factor = (up - self.base) / size

    def play(self):
        with ExitStack() as stack:
            if self.via == 'ibb':
                self.relay = stack.enter_context(
                    Relay(('127.0.0.1', self.server.port)))
                self.sender_server = Behind(self.server, self.relay)
                self.calibrate()
            number = 0
            while self.kills < self.args.kills and \
                    time.monotonic() < self.args.until and \
                    len(self.wrong) < 10:
                self.transfer(f'{self.args.seed}/{self.name}/{number}')
                number += 1

    def transfer(self, seed):
        chance = random.Random(seed)
        with Desk() as desk, \
                Transfer(self, chance, desk, self.size(chance)) as one:
            try:
                one.run(chance.choice(TIMES[self.via]))
            except Exception as why:  # whatever it is, it is to be read
                self.wrong.append(why)
                self.report(seed, one, why)
                self.sent_by(one)
                return
            self.transfers += 1
            sent = self.sent_by(one)
            self.sizes += one.size
            self.resent += max(0, sent - one.size)
            if self.args.verbose:
                print(f'# {seed}: {one.size} bytes, {one.kills} kills, '
                      f'{max(0, sent - one.size):.0f} re-sent',
                      file=sys.stderr, flush=True)

    def report(self, seed, transfer, why):
        with tempfile.NamedTemporaryFile(
                'w', prefix='xferry-kills-', suffix='.log',
                delete=False) as file:
            file.write(f'{seed}: {transfer.size} bytes: {why!r}\n')
            file.write(transfer.story())
        print(f'# {seed}: {why!r}\n# see {file.name}', file=sys.stderr,
              flush=True)

    def percent(self):
        return 100 * self.resent / self.sizes if self.sizes else 0

    def held(self):
        few = self.kills < FEW
        return not self.wrong and self.kills and \
            (few or self.percent() < RESENT_MAX)


def play_all(args):
    def stop(_signal, _frame):
        args.until = 0
        raise SystemExit(143)
    signal.signal(signal.SIGTERM, stop)
    with ExitStack() as stack:
        chosen = [lane for lane in LANES
                  if not args.only or args.only in ' over '.join(lane)]
        servers = {kind: stack.enter_context(SERVERS[kind](pairs=6))
                   for kind in {kind for _, kind in chosen}}
        args.until = time.monotonic() + args.seconds
        lanes = [Lane(via, kind, servers[kind], args) for via, kind in chosen]
        with ThreadPoolExecutor(args.workers) as pool:
            for done in [pool.submit(lane.play) for lane in lanes]:
                done.result()
        for server in servers.values():
            server.failed = any(lane.wrong for lane in lanes)
        return lanes


def tell(lanes, tap):
    if tap:
        print(f'1..{len(lanes)}')
        for number, lane in enumerate(lanes, 1):
            print(f'{"ok" if lane.held() else "not ok"} {number} - killed at '
                  f'any time, {lane.name}: goes on, nothing wrong, nothing '
                  'left')
    mark = '# ' if tap else ''
    print(f'{mark}{"transport":20} {"transfers":>9} {"kills":>6} '
          f'{"wrong":>6} {"MB":>7} {"re-sent":>8} {"per kill":>10} '
          f'{"journals":>8} '
          f'{"gave up":>8}')
    for lane in lanes:
        print(f'{mark}{lane.name:20} {lane.transfers:9} {lane.kills:6} '
              f'{len(lane.wrong):6} {lane.sizes / 1e6:7.0f} '
              f'{lane.percent():7.1f}% '
              f'{lane.resent / max(1, lane.kills) / 1e3:7.0f} kB '
              f'{lane.left:8} {len(lane.codes):8} '
              + ' '.join(f'{code}:{lane.codes.count(code)}'
                         for code in sorted(set(lane.codes))))
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('xferry', nargs='?')
    parser.add_argument('--kills', type=int, default=300,
                        help='that hit, for each way')
    parser.add_argument('--seconds', type=float, default=3600,
                        help='no transfer is begun after that time')
    parser.add_argument('--only', help='lanes with that in their name')
    parser.add_argument('--seed', default=str(time.time_ns()))
    parser.add_argument('--workers', type=int, default=len(LANES))
    parser.add_argument('--tap', action='store_true')
    parser.add_argument('--verbose', action='store_true')
    args = parser.parse_args()
    on_sigterm()
    if args.xferry:
        ferry.use(args.xferry)
    print(f'# --seed {args.seed}', flush=True)
    lanes = play_all(args)
    tell(lanes, args.tap)
    return 0 if all(lane.held() for lane in lanes) else 1


if __name__ == '__main__':
    sys.exit(main())
