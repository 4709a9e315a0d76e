#!/usr/bin/python3
"""Every other program beside ours: plays the cells of each peer, shows the
matrix, and fails where a cell that was ok before is not.

    matrix.py [XFERRY] [--write] [--peer NAME]... [--rounds N]

What was ok before stands in cells.json; --write replaces it, and the page that
shows it to people, doc/interop.md. A cell that the peer itself makes
impossible is shown with the line of its source that proves it.
"""

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
KNOWN = HERE / 'cells.json'
PAGE = HERE.parent.parent / 'doc' / 'interop.md'
PEERS = ['slix', 'purple', 'smack']

HEAD = '''# With whom it works

`make interop` plays a real file between xferry and other programs, in both
directions, over each way the two have, over Prosody and ejabberd, by default
settings but for what makes the way come about (dead hosts, a way chosen). The
SHA-256 of what arrives is compared. *Rung* is the step of the ladder on which
the file went; *tried* is what came before.

Last written {date}, on Debian 12: {summary}.
'''

TABLE = '''
## {peer}

| direction | way | when | server | result | seconds | tried |
|---|---|---|---|---|---|---|
'''


def key(row):
    return ' | '.join([row['peer'], row['direction'], row['transport'],
                       row['server'], row.get('when', '')])


def play(peer, xferry, rounds):
    """The rows of one peer."""
    with tempfile.TemporaryDirectory(prefix='xferry-matrix-') as folder:
        out = Path(folder) / 'rows.json'
        subprocess.run([sys.executable, HERE / f'{peer}.py', xferry, '--json',
                        out, '--rounds', str(rounds)], check=False)
        if not out.exists():
            sys.exit(f'matrix: {peer}.py ended without its cells')
        return json.loads(out.read_text())


def merge(rows):
    """One row a cell: the worst of its rounds, and how long that took."""
    order = {'ok': 0, 'impossible': 1, 'failed': 2}
    cells = {}
    for row in rows:
        have = cells.get(key(row))
        if not have or order[row['result']] > order[have['result']]:
            cells[key(row)] = row
    return cells


def compare(cells):
    """Cells that were ok before and are not now."""
    if not KNOWN.exists():
        return []
    known = json.loads(KNOWN.read_text())
    return [name for name, result in known.items()
            if result == 'ok' and name in cells
            and cells[name]['result'] != 'ok']


def count(cells):
    words = [row['result'] for row in cells.values()]
    return (f'{words.count("ok")} cells ok, {words.count("failed")} failed, '
            f'{words.count("impossible")} made impossible by the peer')


def table(peer, rows):
    text, reasons = TABLE.format(peer=peer), []
    for row in rows:
        result = row['result']
        if row.get('reason') and result == 'impossible':
            if row['reason'] not in reasons:
                reasons.append(row['reason'])
            result += f' ({reasons.index(row["reason"]) + 1})'
        way = 'xferry → peer' if row['direction'] == 'to' else 'peer → xferry'
        tried = ', '.join(row.get('rungs') or [str(row.get('rung') or '')])
        text += (f'| {way} | {row["transport"]} | {row.get("when", "")} | '
                 f'{row["server"]} | {result} | {row["seconds"]:.1f} | '
                 f'{tried} |\n')
    for i, reason in enumerate(reasons):
        text += f'\n({i + 1}) {reason}\n'
    return text


def write(cells):
    KNOWN.write_text(json.dumps({name: row['result'] for name, row
                                 in sorted(cells.items())}, indent=1) + '\n')
    page = HEAD.format(date=datetime.date.today().isoformat(),
                       summary=count(cells))
    for peer in dict.fromkeys(row['peer'] for row in cells.values()):
        page += table(peer, [row for row in cells.values()
                             if row['peer'] == peer])
    PAGE.write_text(page)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('xferry', nargs='?', default='build/cli/xferry')
    parser.add_argument('--write', action='store_true')
    parser.add_argument('--peer', action='append', choices=PEERS)
    parser.add_argument('--rounds', type=int, default=1)
    args = parser.parse_args()
    peers, rows = args.peer or PEERS, []
    for peer in peers:
        print(f'== {peer}', flush=True)
        rows += play(peer, args.xferry, args.rounds)
    cells = merge(rows)
    worse = compare(cells)
    if args.write:
        write(cells)
    for name in worse:
        print(f'was ok before: {name}')
    print(count(cells))
    new = [name for name, row in cells.items() if row['result'] == 'failed']
    return 1 if worse or new else 0


if __name__ == '__main__':
    sys.exit(main())
