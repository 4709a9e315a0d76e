"""The DST.ADDR of a bytestream (XEP-0065) is a hash of two JIDs, so both ends
and the proxy between them must write a JID in the same way. What ours is of
JIDs that are not plain is compared to what Prosody, ejabberd and slixmpp make
of them, by their own code: util.jid, the Erlang module jid, slixmpp.jid.

    dstaddr.py OUR-PROGRAM [PART OF A NAME]
"""

import hashlib
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

from cases import Cases, Skip  # noqa: E402

SID = 'c0ffee'
OTHER = 'juliet@capulet.example/balcony'

# Who writes a JID in another way than ours, and why. What is no JID to a server
# is never routed by it. A reason that does not hold any more fails, too.
UNKNOWN = 'no JID to it: its tables are Unicode 3.2 and the character is younger'
LOWER = 'it writes newer letters small by the tables of Python'
CANNOT = {
    ('a capital sharp s in the node', 'ejabberd'): UNKNOWN,
    ('a capital sharp s in the node', 'slixmpp'): LOWER,
    ('an emoji in the resource', 'ejabberd'): UNKNOWN,
    ('an emoji in the node', 'ejabberd'): UNKNOWN,
    ('an emoji of several code points in the resource', 'ejabberd'): UNKNOWN,
    ('a letter younger than Unicode 3.2 in the node', 'ejabberd'): UNKNOWN,
    ('a letter younger than Unicode 3.2 in the node', 'slixmpp'): LOWER,
    ('punycode in the domain', 'slixmpp'):
        'it writes punycode as Unicode, which no server does',
    ('an IPv6 domain', 'slixmpp'):
        'it leaves upper case in an address as it is',
    ('a dot at the end of the domain', 'ejabberd'):
        'it keeps the dot, which RFC 7622 (3.2) takes away',
}

JIDS = [
    ('as plain as can be', 'romeo@montague.example/orchard'),
    ('upper case in the node', 'Romeo@montague.example/orchard'),
    ('upper case in the domain', 'romeo@Montague.EXAMPLE/orchard'),
    ('upper case in the resource stays', 'romeo@montague.example/Orchard'),
    ('upper case all over', 'ROMEO@MONTAGUE.EXAMPLE/ORCHARD'),
    ('a blank in the resource', 'romeo@montague.example/Spark 2.6.3'),
    ('two blanks in the resource', 'romeo@montague.example/a  b'),
    ('a blank in front of the resource', 'romeo@montague.example/ x'),
    ('a blank behind the resource', 'romeo@montague.example/x '),
    ('a slash in the resource', 'romeo@montague.example/a/b'),
    ('an at sign in the resource', 'romeo@montague.example/a@b'),
    ('quotes and an ampersand in the resource',
     'romeo@montague.example/"a" & \'b\' <c>'),
    ('umlauts in the node', 'Jürgen@montague.example/x'),
    ('an upper-case umlaut in the node', 'ÄÖÜ@montague.example/x'),
    ('umlauts in the domain', 'romeo@Müller.example/x'),
    ('umlauts in the resource', 'romeo@montague.example/Büro'),
    ('a combining umlaut in the resource', 'romeo@montague.example/Bu\u0308ro'),
    ('a combining umlaut in the node', 'ju\u0308rgen@montague.example/x'),
    ('a sharp s in the node', 'Straße@montague.example/x'),
    ('a sharp s in the domain', 'romeo@straße.example/x'),
    ('a sharp s in the resource', 'romeo@montague.example/Straße'),
    ('a capital sharp s in the node', 'STRAẞE@montague.example/x'),
    ('a Turkish dotted capital I in the node', 'İSTANBUL@montague.example/x'),
    ('a Turkish dotless i in the node', 'ısparta@montague.example/x'),
    ('a Turkish dotted capital I in the resource',
     'romeo@montague.example/İstanbul'),
    ('a final sigma in the node', 'ΣΊΣΥΦΟΣ@montague.example/x'),
    ('small sigmas in the node', 'σίσυφος@montague.example/x'),
    ('Cyrillic in the node', 'РОМЕО@montague.example/x'),
    ('Cyrillic in the domain', 'romeo@ПРИМЕР.example/x'),
    ('Cyrillic in the resource', 'romeo@montague.example/Дом'),
    ('Chinese in the node', '罗密欧@montague.example/x'),
    ('Japanese in the resource', 'romeo@montague.example/オフィス'),
    ('half-width katakana in the resource', 'romeo@montague.example/ｵﾌｨｽ'),
    ('full-width letters in the node', 'ＲＯＭＥＯ@montague.example/x'),
    ('full-width letters in the resource', 'romeo@montague.example/ＡＢＣ'),
    ('a ligature in the node', 'oﬃce@montague.example/x'),
    ('a ligature in the resource', 'romeo@montague.example/oﬃce'),
    ('a Roman numeral in the node', 'henryⅧ@montague.example/x'),
    ('a superscript in the resource', 'romeo@montague.example/x²'),
    ('a soft hyphen in the node', 'ro\u00admeo@montague.example/x'),
    ('a zero-width joiner in the resource',
     'romeo@montague.example/a\u200db'),
    ('a no-break blank in the resource', 'romeo@montague.example/a\u00a0b'),
    ('Arabic in the node', 'روميو@montague.example/x'),
    ('Hebrew in the resource', 'romeo@montague.example/בית'),
    ('Arabic and Latin in the resource', 'romeo@montague.example/بيتabc'),
    ('an emoji in the resource', 'romeo@montague.example/😀'),
    ('an emoji in the node', '😀@montague.example/x'),
    ('an emoji of several code points in the resource',
     'romeo@montague.example/👩\u200d💻'),
    ('a letter younger than Unicode 3.2 in the node',
     'Ⱥⱥ@montague.example/x'),
    ('punycode in the domain', 'romeo@xn--mller-kva.example/x'),
    ('an IPv4 domain', 'romeo@192.0.2.7/x'),
    ('an IPv6 domain', 'romeo@[2001:DB8::7]/x'),
    ('a component', 'gateway.example/bot'),
    ('a dot at the end of the domain', 'romeo@montague.example./x'),
    ('an ideographic dot in the domain', 'romeo@montague。example/x'),
    ('a blank in the node', 'ro meo@montague.example/x'),
    ('a control character in the resource', 'romeo@montague.example/a\tb'),
    ('a private character in the resource',
     'romeo@montague.example/\ue000'),
]

PROSODY = r'''
package.path = "/usr/lib/prosody/?.lua;" .. package.path
package.cpath = "/usr/lib/prosody/?.so;" .. package.cpath
local prep = require "util.jid".prep
for line in io.lines() do
    local jid = line:gsub("..", function (c)
        return string.char(tonumber(c, 16)) end)
    print(((prep(jid) or ""):gsub(".", function (c)
        return ("%02x"):format(c:byte()) end)))
end
'''

EJABBERD = r'''
{ok, _} = application:ensure_all_started(xmpp),
Each = fun Each() ->
    case io:get_line("") of
        eof -> ok;
        Line ->
            Jid = binary:decode_hex(list_to_binary(string:trim(Line))),
            Own = try jid:encode(jid:tolower(jid:decode(Jid)))
                  catch _:_ -> <<>> end,
            io:format("~s~n", [binary:encode_hex(Own)]),
            Each()
    end
end,
Each(), halt().
'''

SLIXMPP = r'''
import logging, sys
logging.disable()
from slixmpp.jid import JID
for line in sys.stdin:
    try:
        print(JID(bytes.fromhex(line).decode()).full.encode().hex())
    except Exception:
        print()
'''


def run(*argv):
    """One line out for each of JIDS in."""
    lines = ''.join(jid.encode().hex() + '\n' for _, jid in JIDS)
    try:
        done = subprocess.run(argv, input=lines, capture_output=True,
                              text=True, timeout=60, check=True)
    except FileNotFoundError:
        return None
    except subprocess.CalledProcessError as error:
        raise AssertionError(f'{argv[0]}: {error.stderr}') from error
    said = done.stdout.split('\n')[:-1]
    assert len(said) == len(JIDS), (argv[0], len(said), done.stderr)
    return said


def hash_of(initiator, target):
    return hashlib.sha1((SID + initiator + target).encode()).hexdigest()


def theirs(*argv):
    """What they hash, and how they write the JID; None: no JID to them."""
    said = run(*argv)
    if said is None:
        return None
    written = [bytes.fromhex(line).decode() or None for line in said]
    return [(f'{hash_of(jid, OTHER)} {hash_of(OTHER, jid)}', jid)
            if jid else None for jid in written]


def erlang_paths():
    return [arg for name in ('xmpp', 'stringprep')
            for path in Path('/usr/lib').glob(f'**/{name}.app')
            for arg in ('-pa', str(path.parent))]


def compare(what, number, ours, others):
    wrong = []
    for who, said in others.items():
        if said is None:
            raise Skip(f'{who} is not installed')
        own, written = said[number] or ('-', None)
        agrees = own == ours[number]
        if agrees and (what, who) in CANNOT:
            wrong.append(f'{who} agrees now: take the reason away')
        elif not agrees and (what, who) not in CANNOT:
            wrong.append(f'{who} writes {written!r}')
    assert not wrong, f'{JIDS[number][1]!r}, ours {ours[number]}: ' + \
        '; '.join(wrong)


def main(program, only=None):
    ours = run(program)
    others = {
        'Prosody': theirs('lua5.4', '-e', PROSODY),
        'ejabberd': theirs('erl', '-noshell', *erlang_paths(),
                           '-eval', EJABBERD),
        'slixmpp': theirs('/usr/bin/python3', '-c', SLIXMPP),
    }
    cases = Cases()
    for number, (what, _) in enumerate(JIDS):
        reasons = '; '.join(f'but to {who}: {reason}'
                            for (name, who), reason in CANNOT.items()
                            if name == what)
        cases.add(f'the same DST.ADDR to all: {what}' +
                  (f' ({reasons})' if reasons else ''),
                  compare, what, number, ours, others)
    return cases.run(only=only)


if __name__ == '__main__':
    sys.exit(1 if main(*sys.argv[1:3]) else 0)
