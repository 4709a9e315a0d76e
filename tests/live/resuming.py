"""A file goes on where an earlier transfer stopped, wherever that was, and
never with bytes that are not its own.

    resuming.py [all] [PART OF A NAME]

With `all`: every edge of 31 and 32 bits, in a sparse file of 5 GiB; else few.
"""

import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

from cases import Cases  # noqa: E402
from ferry import (  # noqa: E402
    Desk, Unexpected, receive, same, send, sha256)
from prosody import Prosody  # noqa: E402
from relay import Behind, Relay  # noqa: E402
from server import free_port, on_sigterm  # noqa: E402

ALL = 'all' in sys.argv[1:]
MIB, GIB = 1 << 20, 1 << 30
SIZE = 5 * GIB
BLOCK = 65535
PATIENCE_S = 180


def part(desk, end='part'):
    """The one part in the folder, or its journal."""
    found = [desk.into / name for name in desk.received()
             if name.endswith('.' + end)]
    if len(found) != 1:
        raise Unexpected(f'{desk.received()}')
    return found[0]


def interrupted(server, pair, desk, path, via='direct', least=1):
    """Leaves a part of at least so many bytes: both killed when it has them.
    Directly and in-band it never gets much further."""
    sender, receiver = pair
    with ExitStack() as stack:
        words, behind = [], server
        if via == 'direct':
            port = free_port()
            relay = stack.enter_context(
                Relay(('127.0.0.1', port), least + MIB, 'hold'))
            words = ['--address', relay.address, '--listen-port', str(port)]
        elif via == 'ibb':
            relay = stack.enter_context(
                Relay(('127.0.0.1', server.port), 300_000, 'hold'))
            behind = Behind(server, relay)
        taker = stack.enter_context(receive(server, receiver, desk.into))
        giver = stack.enter_context(
            send(behind, sender, path, receiver.full, '--via', via, *words))
        until = time.monotonic() + 60
        while not (any(n.endswith('.part') for n in desk.received())
                   and part(desk).stat().st_size >= least):
            if time.monotonic() > until or giver.process.poll() is not None:
                raise Unexpected(giver.story())
            time.sleep(0.002)
        giver.kill()
        taker.kill()


def again(server, pair, desk, path, via='direct', offset=None, more=()):
    """The same commands once more; it begins at `offset`. Returns both."""
    sender, receiver = pair
    with receive(server, receiver, desk.into, *more) as taker, \
            send(server, sender, path, receiver.full, '--via', via) as giver:
        giver.expect(0, PATIENCE_S)
        taker.expect(0, PATIENCE_S)
        for program in (giver, taker):
            assert program.find('done')['verified'], program.story()
            if offset is not None:
                check_offset(program, path.stat().st_size, offset)
        return giver, taker


def check_offset(program, size, offset):
    """It says that it went on from there, and no byte went before that."""
    resumed = program.find('resumed')
    if offset == 0:
        assert not resumed or resumed['offset'] == 0, program.story()
    else:
        assert resumed and resumed['offset'] == offset and \
            'code' not in resumed, program.story()
    opened = [e for e in program.events
              if e['event'] == 'attempt' and e['state'] == 'open']
    if offset == size:
        assert not opened, program.story()
    else:
        assert [e['offset'] for e in opened] == [offset], program.story()
    assert program.find('done')['bytes'] == size, program.story()


def delivered(desk, path, kept=False):
    """Whole, and nothing beside it but what cannot be told to be ours."""
    left = [name for name in desk.received() if name != path.name]
    assert all(kept and name.startswith('.xf-') for name in left), left
    same(path, desk.into / path.name)


def at(server, via, offset, size):
    """A part of that length: zeros like the file, its journal as it was."""
    pair = server.pair()
    with Desk() as desk:
        path = desk.sparse(size)
        interrupted(server, pair, desk, path, via)
        os.truncate(part(desk), offset)
        again(server, pair, desk, path, via, offset)
        delivered(desk, path)


# --- what is not to be trusted ------------------------------------------------------


def left_by(server, via='direct', size=24 * MIB, least=18 * MIB):
    """A desk with a part of a random file; the pair of accounts."""
    pair = server.pair()
    desk = Desk().__enter__()
    path = desk.file(size)
    interrupted(server, pair, desk, path, via, least)
    return pair, desk, path


def harmed(server, harm, check, kept=False):
    """The part or its journal are not as they were left."""
    pair, desk, path = left_by(server)
    with Desk_left(desk):
        harm(desk)
        giver, taker = again(server, pair, desk, path)
        check(giver, taker)
        delivered(desk, path, kept)


class Desk_left:
    """A desk that was entered already."""

    def __init__(self, desk):
        self.desk = desk

    def __enter__(self):
        return self.desk

    def __exit__(self, *why):
        self.desk.__exit__(*why)


def flip(path, offset):
    with open(path, 'r+b') as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))


def begins(giver):
    return [e for e in giver.events
            if e['event'] == 'attempt' and e['state'] == 'open'][-1]['offset']


def from_start(giver, _):
    assert begins(giver) == 0, giver.story()


def says_so(giver, _):
    """What was altered is behind no offset: it is sent again, and told."""
    resumed = giver.find('resumed')
    assert resumed and resumed['code'] == 'E-RESUME', giver.story()
    assert begins(giver) == 0, giver.story()


def lower(giver, _):
    # Synced, and noted, with every 16 MiB that came.
    assert 15 * MIB < begins(giver) < 17 * MIB, giver.story()


def goes_on(giver, _):
    assert begins(giver) > 0, giver.story()


def torn(server):
    """Cut at every byte: each time all of the file, and nothing else."""
    pair, desk, path = left_by(server, size=2 * MIB, least=MIB)
    with Desk_left(desk):
        journal, bytes_ = part(desk, 'journal'), part(desk)
        words, what = journal.read_bytes(), bytes_.read_bytes()
        step = 1 if ALL else 47
        for length in range(0, len(words) + 1, step):
            for name in desk.received():
                (desk.into / name).unlink()
            for file, content in ((journal, words[:length]), (bytes_, what)):
                file.write_bytes(content)
                file.chmod(0o600)
            again(server, pair, desk, path)
            assert sha256(path) == sha256(desk.into / path.name), length


def two_receivers(server):
    """Both work in one folder: the second has a part of its own."""
    pair, other = server.pair(), server.pair()
    with Desk() as desk:
        path = desk.sparse(64 * MIB)
        with receive(server, pair[1], desk.into) as first, \
                receive(server, other[1], desk.into) as second, \
                send(server, pair[0], path, pair[1].full) as one, \
                send(server, other[0], path, other[1].full) as two:
            for program in (one, two, first, second):
                program.expect(0, PATIENCE_S)
        assert desk.received() == ['big (1).bin', 'big.bin'], desk.received()
        for name in desk.received():
            same(path, desk.into / name)


def held(server):
    """The same sender, the same file: the part of one that still has it is
    left alone."""
    sender, receiver = server.pair()
    with Desk() as desk:
        path = desk.sparse(64 * MIB)
        port = free_port()
        with Relay(('127.0.0.1', port), 2 * MIB, 'hold') as relay, \
                receive(server, receiver, desk.into) as first, \
                send(server, sender, path, receiver.full, '--via', 'direct',
                     '--address', relay.address, '--listen-port',
                     str(port)) as giver:
            while not (any(n.endswith('.part') for n in desk.received())
                       and part(desk).stat().st_size > MIB):
                assert giver.process.poll() is None, giver.story()
                time.sleep(0.002)
            first.signal(signal.SIGSTOP)  # it has its lock, and says nothing
            giver.kill()
            mine = part(desk)
            length = mine.stat().st_size
            renamed = type(receiver)(receiver.user, server.domain, 'garden')
            with receive(server, renamed, desk.into) as second, \
                    send(server, sender, path, renamed.full, '--via',
                         'direct') as again_:
                again_.expect(0, PATIENCE_S)
                second.expect(0, PATIENCE_S)
                assert begins(again_) == 0, again_.story()
            assert mine.stat().st_size == length, mine
            same(path, desk.into / path.name)


def main():
    on_sigterm()
    cases = Cases()
    edges = {'0': 0, '1': 1, 'block-1': BLOCK - 1, 'block': BLOCK,
             'block+1': BLOCK + 1}
    for bits in (31, 32):
        for add, word in ((-1, '-1'), (0, ''), (1, '+1')):
            edges[f'2^{bits}{word}'] = (1 << bits) + add
    edges.update({'size-1': SIZE - 1, 'size': SIZE})
    few = ('0', '1', 'block+1')
    words = [w for w in sys.argv[1:] if w != 'all']
    with Prosody(pairs=80) as server:
        for via in ('direct', 'proxy'):
            for word in edges if ALL else few:
                size = SIZE if ALL else 64 * MIB
                cases.add(f'goes on at {word}, {via}', at, server, via,
                          edges[word], size, alone=ALL)
            if not ALL:
                cases.add(f'goes on at size, {via}', at, server, via,
                          64 * MIB, 64 * MIB)
        for word in edges if ALL else few:
            if word in ('size-1', 'size'):
                continue
            cases.add(f'goes on at {word}, in-band', at, server, 'ibb',
                      edges[word], edges[word] + MIB,
                      alone=edges[word] > GIB)
        cases.add('goes on at size-1, in-band', at, server, 'ibb', MIB - 1,
                  MIB)
        cases.add('goes on at size, in-band', at, server, 'ibb', MIB, MIB)
        cases.add('a part as it was left is gone on with', harmed, server,
                  lambda desk: None, goes_on)
        cases.add('a journal that is gone: from 0', harmed, server,
                  lambda desk: part(desk, 'journal').unlink(), from_start,
                  kept=True)
        cases.add('a journal whose first line is altered: from 0', harmed,
                  server, lambda desk: flip(part(desk, 'journal'), 10),
                  from_start, kept=True)
        cases.add('a part with one bit altered in front: from 0, told',
                  harmed, server, lambda desk: flip(part(desk), 1000),
                  says_so)
        cases.add('a part with one bit altered behind what is durable: from '
                  'there or less', harmed, server,
                  lambda desk: flip(part(desk), 17 * MIB), lower)
        cases.add('a part that is cut goes on from there', harmed, server,
                  lambda desk: os.truncate(part(desk), 12345), goes_on)
        cases.add('a part that has grown beyond the file: arrives', harmed,
                  server, lambda desk: os.truncate(part(desk), 30 * MIB),
                  lambda *_: None)
        cases.add('a part that is gone: from 0', harmed, server,
                  lambda desk: part(desk).unlink(), from_start)
        cases.add('a torn journal never brings wrong bytes', torn, server)
        cases.add('two receivers in one folder, two senders: two files',
                  two_receivers, server)
        cases.add('a part that another program holds is left alone', held,
                  server)
        server.failed = cases.run(only=(words or [None])[0]) > 0
        return 1 if server.failed else 0


if __name__ == '__main__':
    sys.exit(main())
