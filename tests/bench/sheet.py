"""A page of doc/bench: the machine, a table, a picture of bars. What was
measured is not known here."""

import os
import platform
import subprocess
from xml.sax.saxutils import escape

WIDTH, LEFT, BAR, GAP = 760, 250, 18, 8


def _first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return None
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else None


def machine():
    """Processor, cores, memory, kernel."""
    model, memory = platform.machine(), ''
    with open('/proc/cpuinfo', encoding='utf-8') as file:
        for line in file:
            if line.startswith('model name'):
                model = line.split(':', 1)[1].strip()
                break
    with open('/proc/meminfo', encoding='utf-8') as file:
        memory = f'{int(file.readline().split()[1]) >> 20} GiB'
    return (f'{model}, {os.cpu_count()} cores, {memory}, '
            f'Linux {platform.release()}')


def versions(*packages):
    """Debian's, of those that are installed."""
    found = []
    for package in packages:
        version = _first_line('dpkg-query', '-W', '-f', '${Version}', package)
        if version and 'no packages' not in version:
            found.append(f'{package} {version}')
    return ', '.join(found)


def table(head, rows):
    lines = ['| ' + ' | '.join(head) + ' |',
             '|' + '---|' * len(head)]
    lines += ['| ' + ' | '.join(row) + ' |' for row in rows]
    return '\n'.join(lines) + '\n'


def bars(title, unit, rows):
    """An SVG: a bar for each (name, median, least, most, ours)."""
    top = max([most for _, _, _, most, _ in rows] or [1]) * 1.05
    height = 50 + len(rows) * (BAR + GAP) + 10
    room = WIDTH - LEFT - 90
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
           f'height="{height}" font-family="sans-serif" font-size="13">',
           f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
           f'<text x="10" y="24" font-size="15">{escape(title)}</text>']
    for i, (name, middle, least, most, ours) in enumerate(rows):
        y = 42 + i * (BAR + GAP)
        scale = room / top
        out += [
            f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">'
            f'{escape(name)}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{middle * scale:.1f}" '
            f'height="{BAR}" fill="{"#2b6cb0" if ours else "#a0aec0"}"/>',
            f'<path d="M{LEFT + least * scale:.1f} {y + BAR / 2} '
            f'H{LEFT + most * scale:.1f}" stroke="black"/>',
            f'<text x="{LEFT + most * scale + 6:.1f}" y="{y + 14}">'
            f'{middle:.0f} {escape(unit)}</text>']
    return '\n'.join(out + ['</svg>', ''])
