"""One whole transfer between two programs and what must hold after any of
them. Which programs and which ways is left to the tests."""

import ferry
from ferry import (
    Desk, Program, Unexpected, receive, same, send, slix)

# Without it a slow machine's progress would be taken for a stall.
PATIENCE_S = 120


def check_arrived(desk, path, receiver, name=None):
    """The file stands there under its name, and nothing beside it."""
    name = name or path.name
    done = receiver.find('done')
    if not done:
        raise Unexpected(f'not done\n{receiver.story()}')
    if desk.received() != [name]:
        raise Unexpected(f'{desk.received()} instead of {name!r}')
    same(path, desk.into / name)


def check_way(program, via):
    """It says that the bytes went this way."""
    opened = [event['via'] for event in program.events
              if event.get('event') == 'attempt'
              and event.get('state') == 'open']
    if opened[-1:] != [via]:
        raise Unexpected(f'went {opened}, not {via}\n{program.story()}')


def transfer(server, size=100_000, via=None, options=(), sender_options=(),
             receiver_options=(), name='report.bin', pair=None, bare=False,
             path=None):
    """From one xferry to another. Returns both, ended."""
    sender, receiver = pair or server.pair()
    with Desk() as desk:
        path = path or desk.file(size, name)
        ways = ['--via', via] if via else []
        with receive(server, receiver, desk.into, *options,
                     *receiver_options) as taker, \
                send(server, sender, path,
                     receiver.bare if bare else receiver.full, *ways,
                     *options, *sender_options) as giver:
            giver.expect(0, PATIENCE_S)
            taker.expect(0, PATIENCE_S)
            check_arrived(desk, path, taker, name)
            if via and ',' not in via:
                check_way(giver, via)
                check_way(taker, via)
            return giver, taker


def to_slix(server, via, size=100_000, options=(), slix_options=()):
    """From xferry to slixmpp."""
    sender, receiver = server.pair()
    with Desk() as desk:
        path = desk.file(size)
        with slix(server, receiver, 'receive', '--dir', desk.into,
                  *slix_options) as taker, \
                send(server, sender, path, receiver.full, *options) as giver:
            giver.expect(0, PATIENCE_S)
            taker.expect(0, PATIENCE_S)
            check_way(giver, via)
            if taker.find('done')['sha256'] != ferry.sha256(path):
                raise Unexpected(f'another file\n{taker.story()}')
            return giver, taker


def from_slix(server, via, size=100_000, options=(), slix_options=()):
    """From slixmpp to xferry."""
    sender, receiver = server.pair()
    with Desk() as desk:
        path = desk.file(size)
        with receive(server, receiver, desk.into, *options) as taker, \
                slix(server, sender, 'send', '--to', receiver.full, '--file',
                     path, *slix_options) as giver:
            giver.expect(0, PATIENCE_S)
            taker.expect(0, PATIENCE_S)
            check_way(taker, via)
            check_arrived(desk, path, taker)
            return giver, taker


def login(account, *options, env=None, **more):
    """A receiver that tries to log in, by whatever options."""
    return Program(
        [ferry.exe(), 'receive', '--account', account.full, '--from', 'any',
         '--json', *options],
        dict({'XFERRY_PASSWORD': account.password,
              'XDG_CONFIG_HOME': '/nonexistent'}, **(env or {})), **more)


def one_line(program):
    """The user reads one line about it."""
    lines = [line for line in program.errors if line.startswith('xferry: ')]
    assert len(lines) == 1, program.story()


def refused(program, code):
    """It never gets online, ends with that code, and one line says why."""
    with program:
        program.expect(code, 40)
        assert not program.find('online'), program.story()
        one_line(program)
