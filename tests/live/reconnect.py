"""A connection to the server that is lost comes back: what went over it goes
on, block by block and each once, and what did not need it never stops.

    reconnect.py prosody|ejabberd [PART OF A NAME]
"""

import collections
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

from cases import Cases  # noqa: E402
from cutter import Cutter  # noqa: E402
from ejabberd import Ejabberd  # noqa: E402
from ferry import Desk, Unexpected, receive, send  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import free_port, on_sigterm  # noqa: E402
from transfers import PATIENCE_S, check_arrived, check_way  # noqa: E402

SERVERS = {'prosody': Prosody, 'ejabberd': Ejabberd}
GIB = 1 << 30
SIZE = 1_500_000
BLOCK = 8192
RATE = 600_000  # so that there is a middle to cut in
STANZAS = {'iq': [], 'message': ['--stanza', 'message']}


def blocks(program):
    """How often a block of each number came, by its trace."""
    seen = collections.Counter()
    for line in program.errors:
        found = re.search(r'<data\b[^>]*\bseq="(\d+)"', line)
        if found:
            seen[int(found.group(1))] += 1
    return seen


def check_each_once(taker):
    """No block is missing and none came twice."""
    seen = blocks(taker)
    wanted = range((SIZE + BLOCK - 1) // BLOCK)
    wrong = {seq: seen[seq] for seq in {*wanted, *seen} if seen[seq] != 1
             or seq not in wanted}
    if wrong:
        raise Unexpected(f'blocks came so often: {wrong}\n{taker.story()}')


# What we tell of a server that resumed a stream and then did not know what it
# had read of it: Prosody with half a stanza in its parser, ejabberd with bytes
# of the old connection read behind its count. A new stream is made then.
SERVERS_OWN = ('the server broke stream management',
               'the server resumed the stream and does not read it')


def server_lost_count(*programs):
    lost = any(program.find('lost', text=text)
               for program in programs for text in SERVERS_OWN)
    if lost:
        print('# the server lost count of a resumed stream')
    return lost


def came_back(program, times=1, resumed=True):
    """It was lost and is online again, so often, and said how."""
    lost = [event for event in program.events if event['event'] == 'lost']
    back = [event.get('resumed') for event in program.events
            if event['event'] == 'online'][1:]
    if back != times * [resumed] or len(lost) != times or not all(
            event['code'] and event['text'] for event in lost):
        raise Unexpected(f'came back {back}\n{program.story()}')
    assert 'resumed' not in program.find('online'), program.story()


def until_counted(test):
    """The file arrives every time; what it says of the resumed stream must hold
    in one of three, as a server may lose count of what it read."""
    def often(*args, **settings):
        if not any(test(*args, **settings) for _ in range(3)):
            raise Unexpected('the server did otherwise, three times')
    return often


@until_counted
def in_band(server, who, refuse_s=0, times=1, stanza='iq', whole=None):
    """The connection of one of them, or of both, is cut in the middle."""
    sender, receiver = server.pair()
    with Desk() as desk, Cutter(server, RATE, whole) as left, \
            Cutter(server, whole=whole) as right:
        path = desk.file(SIZE)
        with receive(right, receiver, desk.into, '--trace') as taker, \
                send(left, sender, path, receiver.full, '--via', 'ibb',
                     '--block-size', str(BLOCK), *STANZAS[stanza]) as giver:
            giver.wait('attempt', state='open')
            for i in range(times):
                left.wait_passed((i + 1) * SIZE // (times + 1))
                for side, cutter in (('sender', left), ('receiver', right)):
                    if who in (side, 'both'):
                        cutter.cut(refuse_s)
                if i < times - 1:
                    time.sleep(1)
            giver.expect(0, PATIENCE_S)
            taker.expect(0, PATIENCE_S)
            check_way(giver, 'ibb')
            check_arrived(desk, path, taker)
            if server_lost_count(giver, taker):
                return False
            check_each_once(taker)
            for side, program in (('sender', giver), ('receiver', taker)):
                if who in (side, 'both'):
                    came_back(program, times)
                else:
                    assert not program.find('lost'), program.story()
    return True


@until_counted
def vanished(server, whole=None):
    """Nothing says that the connection is gone; it is found out before the
    transfer would count as stalled. (Of a receiver the relay would have to
    refuse even the bytes of a ping, as no kernel does.)"""
    sender, receiver = server.pair()
    with Desk() as desk, Cutter(server, RATE, whole) as left:
        path = desk.file(SIZE)
        stall = ['--stall', '24']
        with receive(server, receiver, desk.into, '--trace', *stall) as taker, \
                send(left, sender, path, receiver.full, '--via', 'ibb',
                     '--block-size', str(BLOCK), *stall) as giver:
            giver.wait('attempt', state='open')
            left.wait_passed(SIZE // 2)
            left.freeze()
            giver.expect(0, PATIENCE_S)
            taker.expect(0, PATIENCE_S)
            check_arrived(desk, path, taker)
            if server_lost_count(giver, taker):
                return False
            check_each_once(taker)
            came_back(giver)
    return True


@until_counted
def deaf(server):
    """Prosody that lost the connection within a stanza resumes the stream and
    hears nothing: we notice, and make a new one."""
    sender, receiver = server.pair()
    with Desk() as desk, Cutter(server, RATE, whole=False) as left:
        path = desk.file(SIZE)
        with receive(server, receiver, desk.into, '--stall', '15') as taker, \
                send(left, sender, path, receiver.full, '--via', 'ibb',
                     '--block-size', str(BLOCK)) as giver:
            giver.wait('attempt', state='open')
            left.wait_passed(SIZE // 2)
            left.cut()
            giver.wait('online', resumed=True)
            left.whole = None
            giver.expect(0, PATIENCE_S)
            taker.expect(0, PATIENCE_S)
            check_arrived(desk, path, taker)
            # Or half a stanza and the next were read as one, and refused.
            return giver.find('lost', text=SERVERS_OWN[1])


def idle(server):
    """Nobody talks to it when it is cut, and it is there again."""
    sender, receiver = server.pair()
    with Desk() as desk, Cutter(server) as right:
        path = desk.file()
        with receive(right, receiver, desk.into) as taker:
            for i in range(2):
                right.cut(refuse_s=i)
                taker.wait('lost')
                while len([event for event in taker.events
                           if event['event'] == 'online']) < i + 2:
                    assert taker.process.poll() is None, taker.story()
                    time.sleep(0.02)
            came_back(taker, 2)
            with send(server, sender, path, receiver.bare) as giver:
                giver.expect(0)
                taker.expect(0)
                check_arrived(desk, path, taker)


def elsewhere(server):
    """The server says where it wants to be resumed; where nobody listens is
    tried once, and then the usual place."""
    for location, refuse_s in ((server.address, 600),
                               (f'127.0.0.1:{free_port()}', 0)):
        with Desk() as desk, Cutter(server, location=location) as right, \
                receive(right, server.pair()[1], desk.into) as taker:
            right.cut(refuse_s)
            taker.wait('online', resumed=True)
            came_back(taker)


def direct(server):
    """Both are away for as long as the bytes move, and longer."""
    sender, receiver = server.pair()
    with Desk() as desk, Cutter(server) as left, Cutter(server) as right:
        path = desk.sparse(GIB)
        with receive(right, receiver, desk.into) as taker, \
                send(left, sender, path, receiver.full, '--via',
                     'direct') as giver:
            for program in (giver, taker):
                program.wait('attempt', state='open')
            left.cut(refuse_s=600)
            right.cut(refuse_s=600)
            for program in (giver, taker):
                program.wait('lost')
            giver.expect(0, PATIENCE_S)
            taker.expect(0, PATIENCE_S)
            for program in (giver, taker):
                names = [event['event'] for event in program.events]
                assert names.index('lost') < names.index('done'), \
                    program.story()
                assert names.count('online') == 1, program.story()
            size = (desk.into / path.name).stat().st_size
            assert size == GIB, size


def leaves(server):
    """A receiver that is done while it is away, and was asked for its receipt
    before: it comes back to give it, and only then leaves."""
    sender, receiver = server.pair()
    with Desk() as desk, Cutter(server) as right:
        path = desk.file(1_000_000)
        with receive(right, receiver, desk.into, '--limit', '300K',
                     '--trace') as taker, \
                send(server, sender, path, receiver.full, '--via',
                     'direct') as giver:
            end = time.monotonic() + PATIENCE_S
            while not any('<end ' in line for line in taker.errors):
                assert time.monotonic() < end, taker.story()
                time.sleep(0.01)
            right.cut(refuse_s=6)
            taker.wait('lost')
            taker.wait('done')
            assert len([event for event in taker.events
                        if event['event'] == 'online']) == 1, taker.story()
            giver.expect(0, PATIENCE_S)
            taker.expect(0, PATIENCE_S)
            check_arrived(desk, path, taker)
            assert giver.find('done')['confirmed'], giver.story()


def restarted(kind):
    """The server forgets every stream; the receiver binds a new one under the
    same name."""
    with kind(pairs=2, strangers=0) as server:
        sender, receiver = server.pair()
        with Desk() as desk, receive(server, receiver, desk.into) as taker:
            server.restart()
            taker.wait('online', resumed=False)
            came_back(taker, 1, resumed=False)
            assert taker.events[-1]['jid'] == receiver.full, taker.story()
            path = desk.file()
            with send(server, sender, path, receiver.bare) as giver:
                giver.expect(0)
                taker.expect(0)
                check_arrived(desk, path, taker)


def retry_ends(server):
    """When the time is over it ends as a lost connection always did."""
    for seconds, lost in ((0, False), (2, True)):
        with Desk() as desk, Cutter(server) as right:
            with receive(right, server.pair()[1], desk.into, '--retry',
                         str(seconds)) as taker:
                begun = time.monotonic()
                right.cut(refuse_s=600)
                taker.expect(12, 20)
                took = time.monotonic() - begun
                assert seconds <= took < seconds + 10, took
                assert bool(taker.find('lost')) == lost, taker.story()
                assert taker.events[-1]['event'] == 'offline', taker.story()
                assert taker.events[-1]['code'] == 'E-STREAM', taker.story()


def taken(server):
    """Another program takes the name: we do not fight for it."""
    account = server.pair()[1]
    with Desk() as desk, receive(server, account, desk.into) as first, \
            receive(server, account, desk.into) as second:
        first.expect(12)
        assert not first.find('lost'), first.story()
        assert not second.find('lost'), second.story()


def main():
    on_sigterm()
    kind = SERVERS[sys.argv[1]]
    cases = Cases()
    # Prosody 0.12 cannot resume what was cut within a stanza, and inside TLS
    # it is not to be seen where one ends.
    prosody = kind is Prosody
    with kind() as server, kind(tls=None, pairs=10, strangers=0) as plain:
        cutting, whole = (plain, True) if prosody else (server, None)
        for who in ('sender', 'receiver'):
            cases.add(f'in-band, the {who} cut: it goes on, each block once',
                      in_band, cutting, who, whole=whole)
        cases.add('in-band, the sender cut three times',
                  in_band, cutting, 'sender', times=3, whole=whole)
        cases.add('in-band, both cut and away for three seconds',
                  in_band, cutting, 'both', refuse_s=3, whole=whole)
        for who in ('sender', 'receiver'):
            cases.add(f'in-band by messages, the {who} cut',
                      in_band, cutting, who, stanza='message', whole=whole)
        cases.add('in-band, the connection of the sender vanishes',
                  vanished, cutting, whole=whole)
        cases.add('in-band inside TLS, the receiver cut', in_band, server,
                  'receiver')
        cases.add('an idle receiver comes back and takes a file', idle,
                  server)
        cases.add('it is resumed where the server wants it', elsewhere, plain)
        cases.add('a direct transfer needs no server', direct, server)
        cases.add('who is done while it is away leaves once it was heard',
                  leaves, server)
        cases.add('when the time for it is over: 12', retry_ends, server)
        cases.add('a name that is taken by another program is let go', taken,
                  server)
        if prosody:
            cases.add('a server that resumes and does not hear is noticed',
                      deaf, plain)
            cases.add('a server that restarts has its receiver back',
                      restarted, kind)
        only = sys.argv[2] if len(sys.argv) > 2 else None
        server.failed = cases.run(only=only) > 0
        return 1 if server.failed else 0


if __name__ == '__main__':
    sys.exit(main())
