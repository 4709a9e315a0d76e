"""What `xferry probe` says is so, and nobody is offered a file meanwhile.

    probe.py KIND [PART OF A NAME]     KIND: prosody, ejabberd
"""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

import ferry  # noqa: E402
from cases import Cases  # noqa: E402
from ejabberd import Ejabberd  # noqa: E402
from ferry import Desk, Unexpected, receive, run, slix  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import on_sigterm  # noqa: E402

KINDS = {'prosody': Prosody, 'ejabberd': Ejabberd}
MOST_S = 15
ITEMS = {'server', 'resource', 'dialect', 'address', 'proxy', 'rate', 'way',
         'end'}


def probe(server, account, to, *options, code=0, most=MOST_S):
    """Run to its end; returns the program."""
    program = run(server, account, 'probe', *options, to)
    with program:
        program.expect(code)
    strange = [event for event in program.events
               if event['event'] not in ('online', 'probe', 'offline')]
    items = [event for event in program.events if event['event'] == 'probe']
    assert not strange, program.story()
    assert {event['item'] for event in items} <= ITEMS, program.story()
    end = items[-1]
    assert end['item'] == 'end' and end['exit'] == code, program.story()
    assert ('code' in end) == (code != 0), program.story()
    assert end['seconds'] < most, program.story()
    assert sum(event['item'] == 'end' for event in items) == 1
    return program


def found(program, item):
    return [event for event in program.events
            if event.get('event') == 'probe' and event['item'] == item]


def one(program, item):
    events = found(program, item)
    if len(events) != 1:
        raise Unexpected(f'{len(events)} of {item}\n{program.story()}')
    return events[0]


def ways(program):
    """Each way once, in order."""
    said = [event['via'] for event in found(program, 'way')]
    numbers = [event['number'] for event in found(program, 'way')]
    assert numbers == list(range(1, len(said) + 1)), program.story()
    return [via for i, via in enumerate(said) if via not in said[:i]]


def not_offered(taker):
    """A receiver that nobody has offered anything."""
    time.sleep(0.2)
    events = {event['event'] for event in taker.events}
    assert events == {'online'}, taker.story()


def xferry_contact(server, kind):
    ours, theirs = server.pair()
    with Desk() as desk, receive(server, theirs, desk.into) as taker:
        program = probe(server, ours, theirs.bare)
        not_offered(taker)
    told = one(program, 'server')
    assert told['jid'] == server.domain, program.story()
    assert told['software'].lower().startswith(kind), program.story()
    assert told['tls'].startswith('TLSv1.'), program.story()
    assert told['mechanism'].startswith('SCRAM-'), program.story()
    assert told['acks'] is True, program.story()
    resource = one(program, 'resource')
    assert resource['jid'] == theirs.full, program.story()
    assert resource['priority'] == -1 and resource['chosen'], program.story()
    for what in ('answers', 'files', 'socks5', 'in_band'):
        assert resource[what] is True, program.story()
    dialect = one(program, 'dialect')
    assert dialect['dialect'] == 'xferry', program.story()
    assert 'urn:xferry:0' in dialect['evidence'], program.story()
    proxy = one(program, 'proxy')
    assert proxy['answers'] and proxy['told'], program.story()
    assert proxy['relays'] is True, program.story()
    assert proxy['port'] == server.proxy_port, program.story()
    assert '127.0.0.1' in [event['host'] for event in
                           found(program, 'address')], program.story()
    assert one(program, 'rate')['limited'] is False, program.story()
    assert ways(program) == ['direct', 'proxy', 'ibb'], program.story()


def each_resource_is_shown(server):
    """Two programs of one account, one of which takes no files."""
    ours, theirs = server.pair()
    with Desk() as desk, receive(server, theirs, desk.into):
        class Other:
            full, password = f'{theirs.bare}/garden', theirs.password
        # A probe is a program that takes no files; it waits in the garden.
        with run(server, Other, 'probe', '--wait', '60',
                 f'{ours.bare}/nowhere') as other:
            other.wait('online')
            time.sleep(0.5)
            program = probe(server, ours, theirs.bare)
    told = {event['jid']: event for event in found(program, 'resource')}
    assert set(told) == {theirs.full, Other.full}, program.story()
    assert told[theirs.full]['chosen'] and told[theirs.full]['files']
    garden = told[Other.full]
    assert garden['answers'] and not garden['files'], program.story()
    assert not garden['chosen'], program.story()


def nobody_there(server):
    ours, theirs = server.pair()
    for to in (theirs.bare, theirs.full):
        program = probe(server, ours, to, code=13)
        assert one(program, 'end')['code'] == 'E-NOPEER', program.story()
        assert not found(program, 'way'), program.story()
        assert not found(program, 'resource'), program.story()
        assert one(program, 'proxy')['relays'] is True, program.story()
        assert any('E-NOPEER' in line for line in program.errors)


def stranger(server):
    """No presence of theirs is ours to see, and the full JID needs none."""
    ours, theirs = server.strangers()
    with Desk() as desk, receive(server, theirs, desk.into) as taker:
        probe(server, ours, theirs.bare, code=13)
        program = probe(server, ours, theirs.full)
        not_offered(taker)
    assert one(program, 'resource')['priority'] is None, program.story()
    assert one(program, 'dialect')['dialect'] == 'xferry', program.story()


def comes_later(server):
    ours, theirs = server.pair()
    with Desk() as desk, \
            run(server, ours, 'probe', '--wait', '60', theirs.bare) as asker:
        asker.wait('online')
        time.sleep(4)
        with receive(server, theirs, desk.into):
            asker.expect(0)
    assert one(asker, 'dialect')['dialect'] == 'xferry', asker.story()


def slixmpp_contact(server):
    ours, theirs = server.pair()
    with Desk() as desk, \
            slix(server, theirs, 'receive', '--dir', desk.into) as taker:
        program = probe(server, ours, theirs.bare)
        not_offered(taker)
    resource = one(program, 'resource')
    assert resource['socks5'] and resource['in_band'], program.story()
    dialect = one(program, 'dialect')
    assert dialect['dialect'] != 'xferry' and dialect['evidence'], \
        program.story()
    assert set(ways(program)) == {'direct', 'proxy', 'ibb'}, program.story()


def only_in_band(server):
    ours, theirs = server.pair()
    with Desk() as desk, receive(server, theirs, desk.into):
        program = probe(server, ours, theirs.bare, '--via', 'ibb')
    assert not found(program, 'address'), program.story()
    assert not found(program, 'proxy'), program.story()
    assert ways(program) == ['ibb'], program.story()
    assert not any('host' in event for event in program.events), \
        program.story()


def options_count(server):
    """What a transfer with these options would tell and try."""
    ours, theirs = server.pair()
    with Desk() as desk, receive(server, theirs, desk.into):
        program = probe(server, ours, theirs.bare, '--via',
                        'proxy,direct,ibb', '--proxy', 'nobody.localhost',
                        '--address', '192.0.2.7:7000', '--dialect',
                        'spark-classic', '--block-size', '2000')
        ported = probe(server, ours, theirs.bare, '--listen-port',
                       '18000-18999', '--via', 'direct')
    address = one(program, 'address')
    assert (address['host'], address['port']) == ('192.0.2.7', 7000)
    assert one(program, 'dialect')['dialect'] == 'spark-classic'
    assert ways(program) == ['proxy', 'direct', 'ibb'], program.story()
    mute = [event for event in found(program, 'proxy')
            if event['jid'] == 'nobody.localhost']
    assert mute and mute[0]['answers'] is False and mute[0]['text'], \
        program.story()
    assert [event['block_size'] for event in found(program, 'way')
            if event['via'] == 'ibb'] == [2000], program.story()
    for address in found(ported, 'address'):
        assert 18000 <= address['port'] <= 18999, ported.story()
    assert ways(ported) == ['direct'], ported.story()


def in_words(server):
    """A person reads a line each, and a word about the end."""
    ours, theirs = server.pair()
    words, env = ferry._login(server, ours)
    with Desk() as desk, receive(server, theirs, desk.into):
        done = subprocess.run(
            [ferry.exe(), 'probe', *map(str, words), theirs.bare],
            env=dict(os.environ, **env), capture_output=True, text=True,
            check=False)
    assert done.returncode == 0, done
    labels = {line.split()[0] for line in done.stdout.splitlines()}
    assert labels == {'server', 'program', 'dialect', 'address', 'proxy',
                      'rate', 'way', 'result'}, done.stdout
    assert 'relays' in done.stdout, done.stdout


class DeafProxy(Prosody):
    """Its proxy says an address where it does not listen."""

    def configure(self):
        super().configure()
        path = self.folder / 'prosody.cfg.lua'
        text = path.read_text()
        deaf = text.replace('proxy65_interfaces = { "127.0.0.1" }',
                            'proxy65_interfaces = { "127.0.0.2" }')
        assert deaf != text
        path.write_text(deaf)

    def listening(self):
        with socket.socket() as probing:
            return probing.connect_ex(('127.0.0.1', self.port)) == 0


def closed_proxy(server):
    """Nobody listens where the proxy says; then somebody who says nothing."""
    ours, theirs = server.pair()
    with Desk() as desk, receive(server, theirs, desk.into):
        program = probe(server, ours, theirs.bare)
        proxy = one(program, 'proxy')
        assert (proxy['answers'], proxy['relays']) == (False, False), \
            program.story()
        assert proxy['text'], program.story()
        assert ways(program) == ['direct', 'proxy', 'ibb'], program.story()
        alone = probe(server, ours, theirs.bare, '--via', 'proxy', code=30)
        assert one(alone, 'end')['code'] == 'E-CONNECT', alone.story()
        with socket.create_server(('127.0.0.1', server.proxy_port)):
            silent = probe(server, ours, theirs.bare)
            proxy = one(silent, 'proxy')
            assert (proxy['answers'], proxy['relays']) == (False, False), \
                silent.story()
            assert ways(silent) == ['direct', 'proxy', 'ibb'], silent.story()


def slow_server(server):
    """Debian's Prosody takes 10 kB/s of a client, XML included."""
    ours, theirs = server.pair()
    with Desk() as desk, receive(server, theirs, desk.into):
        program = probe(server, ours, theirs.bare)
    rate = one(program, 'rate')
    assert rate['limited'] is True, program.story()
    assert 5000 < rate['rate'] < 15000, program.story()
    in_band = [event for event in found(program, 'way')
               if event['via'] == 'ibb'][0]
    assert 3000 < in_band['rate'] < rate['rate'], program.story()


def main():
    on_sigterm()
    kind = sys.argv[1]
    only = sys.argv[2] if len(sys.argv) > 2 else None
    cases = Cases()
    with KINDS[kind]() as server:
        cases.add('another xferry: all is told, and the order', xferry_contact,
                  server, kind)
        cases.add('slixmpp: what it can and what follows', slixmpp_contact,
                  server)
        cases.add('nobody there is 13, and the rest is told', nobody_there,
                  server)
        cases.add('a stranger is asked by the full JID', stranger, server)
        if kind == 'prosody':
            cases.add('each program of the contact is shown',
                      each_resource_is_shown, server)
            cases.add('a contact that comes later is waited for', comes_later,
                      server)
            cases.add('--via ibb shows no address and tries no proxy',
                      only_in_band, server)
            cases.add('options count as for a transfer', options_count, server)
            cases.add('in words', in_words, server)
            with DeafProxy() as deaf, Prosody(limits=True) as slow:
                cases.add("a server's limit is measured", slow_server, slow)
                cases.add('a proxy that does not relay is found out',
                          closed_proxy, deaf)
                failed = cases.run(4, only) > 0
                deaf.failed = slow.failed = server.failed = failed
        else:
            server.failed = cases.run(4, only) > 0
        return 1 if server.failed else 0


if __name__ == '__main__':
    sys.exit(main())
