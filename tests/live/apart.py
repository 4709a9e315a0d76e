"""Two hosts that reach the server and not each other, whose packets vanish: the
file is there all the same, at once, and without a setting.

    apart.py [PART OF A NAME]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

import lan  # noqa: E402
import netns  # noqa: E402
from cases import Cases, only  # noqa: E402
from ejabberd import Ejabberd  # noqa: E402
from ferry import Desk, Unexpected, receive, send  # noqa: E402
from prosody import Prosody  # noqa: E402
from relay import Behind, Relay  # noqa: E402
from server import on_sigterm  # noqa: E402
from transfers import check_arrived, check_way  # noqa: E402

NOISE_S = 0.25
PATIENCE_S = 60


def apart(server, hosts, size, first_s=None, done_s=None):
    """From the yes to the first byte at the receiver, and to the receipt."""
    sender, receiver = server.pair()
    left, right = hosts
    with Desk() as desk:
        path = desk.file(size)
        with receive(server, receiver, desk.into,
                     wrap=right.inside) as taker, \
                send(server, sender, path, receiver.bare,
                     wrap=left.inside) as giver:
            giver.expect(0, PATIENCE_S)
            taker.expect(0, PATIENCE_S)
            check_arrived(desk, path, taker)
            check_way(giver, 'ibb')
            tried = [event['host'] for event in giver.events
                     if event['event'] == 'attempt' and event.get('host')]
            if left.address not in tried:
                raise Unexpected(f'its own address was not told\n'
                                 f'{giver.story()}')
            begun = giver.find('accepted')['t']
            first = taker.find('attempt', via='ibb', state='open')['t'] - begun
            done = giver.find('done')['t'] - begun
            print(f'# {size} bytes: first after {first:.2f} s, all after '
                  f'{done:.2f} s')
            if first_s and first > first_s + NOISE_S or \
                    done_s and done > done_s + NOISE_S:
                raise Unexpected(f'first byte after {first:.2f} s, all after '
                                 f'{done:.2f} s\n{giver.story()}')


def main():
    netns.enter()
    on_sigterm()
    cases = Cases()
    with lan.Lan() as wires, Prosody(own_proxy=False) as prosody, \
            Ejabberd(own_proxy=False) as ejabberd:
        hosts = wires.host(apart=True), wires.host(apart=True)
        with Relay(('127.0.0.1', prosody.port), host=lan.HERE) as one, \
                Relay(('127.0.0.1', ejabberd.port), host=lan.HERE) as other:
            for server, relay in ((prosody, one), (ejabberd, other)):
                away = Behind(server, relay)
                cases.add(f'597 bytes over {server.kind}: the first within '
                          '1.5 s, all within 2 s', apart, away, hosts, 597,
                          1.5, 2)
                cases.add(f'5 MB over {server.kind}', apart, away, hosts,
                          5_000_000, 1.5)
            failed = cases.run(2, only()) > 0
            prosody.failed = ejabberd.failed = failed
        return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
