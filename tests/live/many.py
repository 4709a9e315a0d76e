"""Many files in one go, all under way at once: each arrives, none waits for
the others to end, and both programs stay small.

    many.py [COUNT]

A limit keeps them under way together for some seconds.
"""

import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

import ferry  # noqa: E402
from cases import Cases  # noqa: E402
from ferry import Desk, Unexpected, peak_rss_kib, same  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import on_sigterm  # noqa: E402

SMALL, MEDIUM = 10_000, 150_000
SECONDS = 6  # that its bytes take, and more where there are many of them
RSS_KIB = 256 * 1024
SANITIZED = ferry.os.environ.get('XFERRY_SANITIZED') == '1'

cases = Cases()


def files(desk, count):
    """Half of them small; in one folder, so each has its own name."""
    return [desk.file(SMALL if i % 2 else MEDIUM, f'{i:04}.bin')
            for i in range(count)]


def watch(programs, patience):
    """Until the first of them ends: the peak memory and descriptors of each."""
    rss, open_files = [0] * len(programs), [0] * len(programs)
    end = time.monotonic() + patience
    while all(one.process.poll() is None for one in programs):
        if time.monotonic() > end:
            raise Unexpected('it takes too long\n' + programs[0].story())
        for i, one in enumerate(programs):
            try:
                rss[i] = max(rss[i], peak_rss_kib(one.pid))
                open_files[i] = max(open_files[i], len(
                    list(Path(f'/proc/{one.pid}/fd').iterdir())))
            except OSError:  # it has just ended
                pass
        time.sleep(0.1)
    return rss, open_files


def together(program):
    """How many streams carried bytes at once, at most."""
    now, most = set(), 0
    for event in list(program.events):
        if event.get('event') == 'attempt' and event['state'] == 'open':
            now.add(event['id'])
        elif event.get('event') == 'done':
            now.discard(event['id'])
        most = max(most, len(now))
    return most


def few_descriptors():
    """As a login shell has them: the program raises that itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))


def many(server, via, count):
    sender, receiver = server.pair()
    with Desk() as desk:
        paths = files(desk, count)
        total = sum(path.stat().st_size for path in paths)
        begun = time.monotonic()
        with ferry.run(server, receiver, 'receive', '--from', 'any',
                       '--count', str(count), desk.into) as taker:
            taker.wait('online')
            with ferry.run(server, sender, 'send', '--via', via, '--limit',
                           str(total // max(SECONDS, count // 10)), *paths,
                           receiver.full) as giver:
                rss, open_files = watch([giver, taker], 60 + count // 2)
                giver.expect(0, 60)
                taker.expect(0, 60)
                for path in paths:
                    same(path, desk.into / path.name)
                at_once = together(giver)
                print(f'# {count} files, {via}: {at_once} at once, '
                      f'{time.monotonic() - begun:.1f} s, peak RSS '
                      f'{rss[0] // 1024} and {rss[1] // 1024} MiB, '
                      f'descriptors {open_files[0]} and {open_files[1]}')
                if desk.received() != sorted(path.name for path in paths):
                    raise Unexpected(f'{len(desk.received())} files')
                if at_once < count // 2:
                    raise Unexpected(f'only {at_once} at once')
                if not SANITIZED and max(rss) > RSS_KIB:
                    raise Unexpected(f'peak RSS {rss} KiB')


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    few_descriptors()
    on_sigterm()
    with Prosody(pairs=2) as server:
        for via in ('direct', 'ibb'):
            cases.add(f'{count} files at once arrive, {via}', many, server,
                      via, count, alone=True)
        server.failed = cases.run() > 0
        return 1 if server.failed else 0


if __name__ == '__main__':
    sys.exit(main())
