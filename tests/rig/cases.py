"""Runs the cases of a live test, several at once where they only wait, and
says how they went as TAP. What a case does is left to the tests."""

import itertools
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor


class Skip(Exception):
    """This machine cannot show it; the message says why."""


class Cases:
    """A table of named cases; it is told in its own order."""

    def __init__(self):
        self._cases = []

    def add(self, name, run, *args, alone=False, **options):
        """`name` is the sentence that must hold; `run` raises if not. One
        that wants the machine for itself is played `alone`, after the
        others."""
        self._cases.append((alone, name, run, args, options))

    def _play(self, case):
        _, name, run, args, options = case
        begun = time.monotonic()
        try:
            run(*args, **options)
            result, words = 'ok', ''
        except Skip as skip:
            result, words = 'skip', str(skip)
        except Exception:  # a case may fail in any way, the others go on
            result, words = 'not ok', traceback.format_exc()
        return name, result, words, time.monotonic() - begun

    def run(self, workers=3, only=None):
        """Play them; returns how many failed."""
        chosen = [case for case in self._cases
                  if not only or only in case[1]]
        together = [case for case in chosen if not case[0]]
        apart = [case for case in chosen if case[0]]
        failed = 0
        print(f'1..{len(chosen)}', flush=True)
        with ThreadPoolExecutor(workers) as pool:
            played = itertools.chain(pool.map(self._play, together),
                                     map(self._play, apart))
            for number, outcome in enumerate(played, 1):
                failed += self._report(number, *outcome)
        print(f'# {len(chosen) - failed} held, {failed} did not', flush=True)
        return failed

    @staticmethod
    def _report(number, name, result, words, took):
        """One line of TAP and, for who reads it, why; 1 when it failed."""
        mark = 'ok' if result == 'skip' else result
        skip = f' # SKIP {words}' if result == 'skip' else ''
        # A hash sign would begin a directive.
        print(f'{mark} {number} - {name.replace("#", "no.")}{skip}')
        print(f'# {took:.1f} s')
        if result == 'not ok':
            # Meson shows what stands here, but not the diagnostics of TAP.
            print(f'{name}:\n{words}', file=sys.stderr)
        sys.stdout.flush()
        return int(result == 'not ok')


def only():
    """The part of a name given on the command line, to play few cases."""
    return sys.argv[1] if len(sys.argv) > 1 else None
