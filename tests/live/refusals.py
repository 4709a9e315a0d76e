"""Each thing that cannot be has its own code and one clear line, and leaves
nothing behind.

    refusals.py [PART OF A NAME]
"""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

import ferry  # noqa: E402
from cases import Cases, Skip, only  # noqa: E402
from ferry import Desk, Program, interrupt, receive, send, slix  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import on_sigterm  # noqa: E402
from transfers import one_line  # noqa: E402

# A small disk of its own, seen by the receiver alone; says what is left.
SMALL_DISK = ['unshare', '-rmpf', '--kill-child', 'sh', '-c', '''
    mount -t tmpfs -o size=2m tmpfs "$0" || exit 99
    "$@"
    code=$?
    ls -A "$0" | sed 's/^/left: /' >&2
    exit $code
''']


def nothing_left(desk):
    assert desk.received() == [], desk.received()


def offline(server, full):
    sender, receiver = server.pair()
    with Desk() as desk:
        with send(server, sender, desk.file(),
                  receiver.full if full else receiver.bare) as giver:
            giver.expect(13)
            one_line(giver)


def unknown_contact(server):
    sender, stranger = server.strangers()
    with Desk() as desk:
        with receive(server, stranger, desk.into) as taker, \
                send(server, sender, desk.file(), stranger.bare) as giver:
            giver.expect(13)
            one_line(giver)
            interrupt(taker)
            taker.expect(130)


def waits(server):
    """--wait: the contact comes online later."""
    sender, receiver = server.pair()
    with Desk() as desk:
        path = desk.file()
        with send(server, sender, path, receiver.bare, '--wait', '20') \
                as giver:
            giver.wait('online')
            with receive(server, receiver, desk.into) as taker:
                giver.expect(0)
                taker.expect(0)
                ferry.same(path, desk.into / path.name)


def stranger_by_full_jid(server):
    """No subscription is needed for who knows the whole JID."""
    sender, stranger = server.strangers()
    with Desk() as desk:
        path = desk.file()
        with receive(server, stranger, desk.into) as taker, \
                send(server, sender, path, stranger.full) as giver:
            giver.expect(0)
            taker.expect(0)
            ferry.same(path, desk.into / path.name)


def declined(server):
    sender, receiver = server.pair()
    with Desk() as desk:
        with slix(server, receiver, 'receive', '--decline', '--dir',
                  desk.into), \
                send(server, sender, desk.file(), receiver.full) as giver:
            giver.expect(20)
            one_line(giver)


def not_from_him(server):
    """An offer of somebody else is turned away and ends nothing."""
    sender, receiver = server.pair()
    with Desk() as desk:
        with ferry.run(server, receiver, 'receive', '--from',
                       'nurse@' + server.domain, '--count', '1',
                       desk.into) as taker:
            taker.wait('online')
            with send(server, sender, desk.file(), receiver.full) as giver:
                giver.expect(20)
                one_line(giver)
            failed = taker.wait('failed')
            assert failed['code'] == 'E-POLICY', taker.story()
            assert taker.process.poll() is None, taker.story()
            interrupt(taker)
            taker.expect(130)
        nothing_left(desk)


def nobody_allowed(server):
    _, receiver = server.pair()
    with Desk() as desk:
        with ferry.run(server, receiver, 'receive', desk.into) as taker:
            taker.expect(2)
            one_line(taker)
            assert not taker.find('online'), taker.story()


def refused_by_receiver(server, code, give, take=(), size=100_000):
    """The receiver ends with `code`, the sender with 20."""
    sender, receiver = server.pair()
    with Desk() as desk:
        with receive(server, receiver, desk.into, *take) as taker, \
                send(server, sender, desk.file(size), receiver.full,
                     *give) as giver:
            giver.expect(20)
            one_line(giver)
            taker.expect(code)
            one_line(taker)
        nothing_left(desk)


def disk_full(server):
    if subprocess.run([*SMALL_DISK, '/mnt', 'true'], check=False,
                      capture_output=True).returncode:
        raise Skip('no mount namespaces here')
    sender, receiver = server.pair()
    with Desk() as desk:
        wrap = [*SMALL_DISK, str(desk.into)]
        with receive(server, receiver, desk.into, wrap=wrap) as taker, \
                send(server, sender, desk.file(3 << 20), receiver.full) \
                as giver:
            giver.expect(20)
            one_line(giver)
            taker.expect(50)
            one_line(taker)
            left = [line for line in taker.errors if line.startswith('left')]
            assert not left, taker.story()


def hostile_name(server, name):
    """Offered by a program that has no manners."""
    sender, receiver = server.pair()
    with Desk() as desk:
        before = sorted(desk.folder.iterdir())
        with receive(server, receiver, desk.into) as taker, \
                slix(server, sender, 'offer', '--to', receiver.full,
                     f'--name={name}', '--size', '5', ready=False) as giver:
            failed = giver.wait('failed')
            assert failed['condition'] == 'forbidden', giver.story()
            taker.expect(23)
            one_line(taker)
        nothing_left(desk)
        assert sorted(desk.folder.iterdir()) == before


def bad_words(words):
    with Program([ferry.exe(), *words],
                 {'XDG_CONFIG_HOME': '/nonexistent'}) as program:
        program.expect(2)
        one_line(program)


NAMES = ['../x', '..', '.', 'a/b', '/etc/passwd', 'a\\b', 'C:x', 'x\n',
         'x\x9b2J', 'x\u202egpj.exe', '.profile', 'nul.txt', '', 'n' * 256]
WORDS = [
    ([], 'no command'),
    (['fetch'], 'no such command'),
    (['send'], 'no file'),
    (['send', '/etc/hostname'], 'no contact'),
    (['send', '/etc', 'a@b'], 'a folder as the file'),
    (['send', '--via', 'pigeon', '/etc/hostname', 'a@b'], 'no such way'),
    (['send', '--no-such-option', '/etc/hostname', 'a@b'],
     'no such option'),
    (['receive', '--from', 'any', '/etc'], 'no account'),
]


def main():
    on_sigterm()
    cases = Cases()
    with Prosody() as server:
        cases.add('a full JID that is offline ends with 13', offline, server,
                  True)
        cases.add('a bare JID that is offline ends with 13', offline, server,
                  False)
        cases.add('a contact we do not see ends with 13', unknown_contact,
                  server)
        cases.add('a stranger is reached by his full JID',
                  stranger_by_full_jid, server)
        cases.add('--wait waits for the contact', waits, server)
        cases.add('a peer who declines ends with 20', declined, server)
        cases.add('an offer of who is not --from is turned away',
                  not_from_him, server)
        cases.add('without --from and a terminal nothing is accepted',
                  nobody_allowed, server)
        cases.add('a file above --max-size ends with 24 and 20',
                  refused_by_receiver, server, 24, [],
                  ['--max-size', '99999'])
        cases.add('a file for a full disk ends with 50 and leaves nothing',
                  disk_full, server)
        for name in NAMES:
            shown = name if len(name) < 20 else f'{len(name)} bytes'
            cases.add(f'the name {shown!r} is refused with 23', hostile_name,
                      server, name)
        for words, what in WORDS:
            cases.add(f'usage: {what} ends with 2', bad_words, words)
        server.failed = cases.run(only=only()) > 0
        return 1 if server.failed else 0


if __name__ == '__main__':
    sys.exit(main())
