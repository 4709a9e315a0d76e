#!/usr/bin/python3
"""Many pairs at once through xferry-proxy, as an ordinary user: none is lost,
no byte is wrong, and one that idles takes little memory.

    proxy_many.py [PAIRS [MIB]]
"""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

from cases import Cases  # noqa: E402
from ferry import Unexpected  # noqa: E402
from load import Load, Target, children, memory, moved  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import COMPONENT_SECRET, on_sigterm  # noqa: E402
from xproxy import Proxy  # noqa: E402

SANITIZED = os.environ.get('XFERRY_SANITIZED') == '1'
NOBODY = 65534 if os.geteuid() == 0 else None
LIMIT = 20000  # descriptors of a process
PAIRS, MIB = (400 if SANITIZED else 1000), 1
EACH = 4096  # bytes of memory of an idle pair


def through_many(pairs, mib, target, processes=2):
    """`mib` through each of `pairs` that are all there at once."""
    before = memory(target.pids())
    with Load(target, 'move', processes, pairs, user=NOBODY,
              mib=mib) as load:
        each = (memory(target.pids()) - before) / pairs
        load.go()
        result = load.result()
        time.sleep(1)
        most = (memory(target.pids()) - before) / pairs
    return dict(result, mib=mib, each=max(each, 0), most=max(most, 0),
                rate=result['bytes'] / result['seconds'])


class Room:
    """A Prosody, and our proxy as its component."""

    def __init__(self, **settings):
        self.settings = settings

    def __enter__(self):
        self.server = Prosody(tls=None, pairs=8, own_proxy=False,
                              components=('xproxy',)).__enter__()
        self.proxy = Proxy(self.server.component_address,
                           jid='xproxy.localhost', secret=COMPONENT_SECRET,
                           user=NOBODY, limit=LIMIT, log_level='info',
                           pairs_per_jid=0, workers=2, **self.settings)
        self.proxy.__enter__()
        self.target = Target('ours', self.proxy.port,
                             lambda: children(self.proxy.pid),
                             server=self.server, component=self.proxy.jid)
        return self

    def __exit__(self, *why):
        self.proxy.__exit__(*why)
        self.server.__exit__(*why)


def none_is_lost(pairs, mib):
    with Room() as room:
        descriptors = room.proxy.descriptors()
        moved(room.target, 1, 1, processes=1)  # what the first costs
        got = through_many(pairs, mib, room.target)
        print(f'# {got}')
        if got['done'] != pairs or got['wrong'] or got['lost']:
            raise Unexpected(f'{got}\n{room.proxy.story()}')
        if not SANITIZED and got['each'] > EACH:
            raise Unexpected(f'{got["each"]:.0f} bytes a pair')
        # All of it was given back; pipes may stay open.
        time.sleep(1)
        left = room.proxy.descriptors() - descriptors - 2 * 192
        if left > 0:
            raise Unexpected(f'{left} descriptors left open')


def main():
    on_sigterm()
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    mib = float(sys.argv[2]) if len(sys.argv) > 2 else MIB
    cases = Cases()
    cases.add(f'{pairs} pairs at once, every byte as it was sent',
              none_is_lost, pairs, mib)
    return cases.run() > 0


if __name__ == '__main__':
    sys.exit(main())
