"""What a run of proxy.py found out, as a page and as a picture."""

WHO = ('bare', 'ours', 'ejabberd', 'Prosody')
NAMES = {'bare': 'bare splice relay', 'ours': 'xferry-proxy',
         'ejabberd': "ejabberd's mod_proxy65",
         'Prosody': "Prosody's mod_proxy65",
         'ours, Prosody': 'xferry-proxy'}
COLOURS = {'bare': '#9e9e9e', 'ours': '#1b6ca8', 'ejabberd': '#c8553d',
           'Prosody': '#588157'}

PAGE = '''\
# Bytestream proxies side by side

`make bench-proxy` wrote this on {date}, on a machine of {machine}: {versions}.

The proxies, the servers and the generator of load share that machine and its
loopback, one proxy at work at a time, in turns, {rounds} rounds; each number is
the median of them. *The bare relay* (`tests/bench/bare.c`, a process for each
core) does nothing but splice what epoll says is there, for pairs that nobody
has to ask for; it is plain rather than tuned, so it can be beaten. xferry-proxy runs as an ordinary user with
two workers, as a component of ejabberd; its front is in all numbers of it, and
ejabberd's and Prosody's are those of the whole server.

## Moving

{amounts} altogether by each, one direction. Of the bytes of each stream every
{check}th read is compared with a pattern that tells place and stream, all others
are counted. What the generator takes of the two cores is not to be had for the
proxy, so the rate of a fast one is the machine's rather than its own; its CPU
is its own.

{rates}
{ratios}
![the same as a picture](proxy.svg)

## Pairing

{pair_rate} new pairs a second for {pair_seconds:g} s: connect both ends,
activate, one byte through, close, from the first connect to the last end, in
milliseconds.

{pairing}
## Memory of a pair that idles

Anonymous memory of all of its processes, above what one pair before left; the
sockets' own memory in the kernel is alike for all. With two descriptors a pair,
the one process of a server has not enough for 10,000 at the limit of {limit}
here.

{memory}
## Many at once

{many}
'''


def table(head, rows):
    lines = ['| ' + ' | '.join(head) + ' |', '|' + '---|' * len(head)]
    lines += ['| ' + ' | '.join(row) + ' |' for row in rows]
    return '\n'.join(lines) + '\n'


def rates(streams, moving):
    head = ['']
    for count in streams:
        head += [f'{count} stream{"s" * (count > 1)}, MB/s', 'CPU s/GiB']
    rows = []
    for who in WHO:
        row = [NAMES[who]]
        for count in streams:
            rate, cpu = moving[who, count]
            row += [f'{rate / 1e6:.0f}', f'{cpu:.2f}']
        rows.append(row)
    return table(head, rows)


def ratios(streams, moving):
    """Ours beside the limit, and beside the better of the two servers."""
    lines = []
    for count in streams:
        rate, cpu = moving['ours', count]
        limit_rate, limit_cpu = moving['bare', count]
        best = min(moving[who, count][1] for who in ('ejabberd', 'Prosody'))
        lines.append(
            f'- {count}: {rate / limit_rate:.2f} of the rate of the bare '
            f'relay at {cpu / limit_cpu:.2f} times its CPU; '
            f'{best / cpu:.1f} times less CPU than the better of the '
            'servers.')
    return 'xferry-proxy, by the number of streams:\n\n' + \
        '\n'.join(lines) + '\n'


def pairing_table(pairing):
    at = {'ours': 'ejabberd', 'ejabberd': 'ejabberd',
          'ours, Prosody': 'Prosody', 'Prosody': 'Prosody'}
    return table(['', 'server', 'p50', 'p99'],
                 [[NAMES[who], at[who], f'{p50:.1f}', f'{p99:.1f}']
                  for who, (p50, p99) in pairing.items()])


def memory_table(counts, idle):
    def cell(value):
        return 'not held' if value is None else f'{value:,.0f}'
    return table(['bytes a pair, of'] + [f'{count:,}' for count in counts],
                 [[NAMES[who]] + [cell(idle[who, count]) for count in counts]
                  for who in WHO[1:]])


def many_words(many):
    return (f'{many["pairs"]:,} pairs through xferry-proxy at once, '
            f'{many["mib"]:g} MiB through each, every byte compared: '
            f'{many["wrong"]} streams with a wrong byte, {many["lost"]} '
            f'pairs lost, {many["rate"] / 1e6:.0f} MB/s altogether; '
            f'{many["each"]:,.0f} bytes of memory a pair while all were '
            f'idle, {many["most"]:,.0f} after the work.')


# --- the picture --------------------------------------------------------------

WIDTH, HEIGHT, LEFT, TOP, PLOT = 430, 330, 60, 46, 220


def decades(values):
    low, high = min(values), max(values)
    first = last = 0
    while 10 ** first > low:
        first -= 1
    while 10 ** (first + 1) <= low:
        first += 1
    while 10 ** last < high:
        last += 1
    return first, max(last, first + 1)


def log10(value):
    import math
    return math.log10(value)


def panel(x, title, streams, values):
    """Bars in groups, on a scale of decades."""
    first, last = decades(values.values())
    out = [f'<g transform="translate({x},0)">',
           f'<text x="{LEFT}" y="{TOP - 20}" class="title">{title}</text>']

    def y(value):
        part = (log10(value) - first) / (last - first)
        return TOP + PLOT * (1 - part)

    for power in range(first, last + 1):
        at = y(10.0 ** power)
        label = f'{10 ** power:g}' if power >= 0 else f'{10.0 ** power:g}'
        out += [f'<line x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - 10}" '
                f'y2="{at:.1f}" class="grid"/>',
                f'<text x="{LEFT - 6}" y="{at + 4:.1f}" '
                f'text-anchor="end">{label}</text>']
    group = (WIDTH - LEFT - 10) / len(streams)
    bar = group * 0.8 / len(WHO)
    for i, count in enumerate(streams):
        for k, who in enumerate(WHO):
            value = values[who, count]
            at = LEFT + group * (i + 0.1) + bar * k
            out.append(
                f'<rect x="{at:.1f}" y="{y(value):.1f}" '
                f'width="{bar - 1:.1f}" '
                f'height="{TOP + PLOT - y(value):.1f}" '
                f'fill="{COLOURS[who]}"><title>{NAMES[who]}, {count}: '
                f'{value:.3g}</title></rect>')
        out.append(f'<text x="{LEFT + group * (i + 0.5):.1f}" '
                   f'y="{TOP + PLOT + 18}" text-anchor="middle">{count}'
                   '</text>')
    out.append('</g>')
    return out


def picture(streams, moving):
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * WIDTH}" '
           f'height="{HEIGHT}" font-family="sans-serif" font-size="12">',
           '<style>.grid { stroke: #ddd } .title { font-weight: bold }'
           '</style>',
           f'<rect width="{2 * WIDTH}" height="{HEIGHT}" fill="white"/>']
    out += panel(0, 'MB/s, by number of streams', streams,
                 {key: rate / 1e6 for key, (rate, _) in moving.items()})
    out += panel(WIDTH, 'CPU seconds a GiB', streams,
                 {key: cpu for key, (_, cpu) in moving.items()})
    for i, who in enumerate(WHO):
        x = LEFT + i * 190
        out += [f'<rect x="{x}" y="{HEIGHT - 28}" width="12" height="12" '
                f'fill="{COLOURS[who]}"/>',
                f'<text x="{x + 18}" y="{HEIGHT - 18}">{NAMES[who]}</text>']
    return '\n'.join(out + ['</svg>']) + '\n'


def write(folder, about, streams, counts, moving, pairing, idle, many):
    folder.mkdir(parents=True, exist_ok=True)
    amounts = ', '.join(f'{NAMES[who]} {mib} MiB'
                        for who, mib in about['amount'].items())
    (folder / 'proxy.md').write_text(PAGE.format(
        **dict(about, amounts=amounts),
        rates=rates(streams, moving), ratios=ratios(streams, moving),
        pairing=pairing_table(pairing), memory=memory_table(counts, idle),
        many=many_words(many)))
    (folder / 'proxy.svg').write_text(picture(streams, moving))
