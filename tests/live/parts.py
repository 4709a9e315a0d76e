"""What a killed receiver leaves is listed with what it is of, and removed; what
a running one works with stays.

    parts.py [PART OF A NAME]
"""

import json
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

from cases import Cases, only  # noqa: E402
from ferry import Desk, Unexpected, exe, receive, send  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import on_sigterm  # noqa: E402

SIZE = 1 << 30


def gc(folder, *options):
    """What `xferry gc --json` says of the folder; it never fails here."""
    done = subprocess.run([exe(), 'gc', '--json', *options, folder],
                          capture_output=True, text=True, timeout=30,
                          check=False)
    if done.returncode or done.stderr:
        raise Unexpected(f'exit {done.returncode}\n{done.stderr}')
    return [json.loads(line) for line in done.stdout.splitlines()]


def begun(desk, taker):
    """The part, once there is something in it."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if (parts := gc(desk.into)) and parts[0]['bytes'] > 0:
            return parts
        if taker.process.poll() is not None:
            break
        time.sleep(0.02)
    raise Unexpected(taker.story())


def killed(server, via):
    sender, receiver = server.pair()
    with Desk() as desk:
        path = desk.sparse(SIZE)
        with receive(server, receiver, desk.into) as taker, \
                send(server, sender, path, receiver.full, '--via', via):
            parts = begun(desk, taker)
            assert len(parts) == 1 and parts[0]['busy'], parts
            kept = gc(desk.into, '--delete', '0')
            assert kept[0]['busy'] and not kept[0]['removed'], kept
            taker.kill()
            check_left(desk, sender, path)


def check_left(desk, sender, path):
    part, = gc(desk.into, '--delete', '1h')
    assert part['file'].startswith('.xf-'), part
    assert part['peer'] == sender.full.partition('/')[0], part
    assert part['name'] == path.name and part['size'] == SIZE, part
    assert 0 < part['bytes'] <= SIZE, part
    assert 0 <= part['durable'] <= part['bytes'], part
    assert not part['busy'] and not part['removed'], part
    assert len(desk.received()) == 2, desk.received()
    part, = gc(desk.into, '--delete', '0')
    assert part['removed'], part
    assert desk.received() == [], desk.received()


def whole(server):
    """A transfer that ends well leaves nothing to list."""
    sender, receiver = server.pair()
    with Desk() as desk:
        with receive(server, receiver, desk.into) as taker, \
                send(server, sender, desk.file(), receiver.full) as giver:
            giver.expect(0)
            taker.expect(0)
        assert gc(desk.into) == []


def main():
    on_sigterm()
    cases = Cases()
    with Prosody() as server:
        for via in ('direct', 'ibb'):
            cases.add(f'the receiver killed, {via}: listed, then removed',
                      killed, server, via)
        cases.add('a file that arrived is no part', whole, server)
        server.failed = cases.run(only=only()) > 0
        return 1 if server.failed else 0


if __name__ == '__main__':
    sys.exit(main())
