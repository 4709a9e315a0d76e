"""Who may log in, how, and what is said when not; over both servers.

    logins.py prosody|ejabberd [PART OF A NAME]
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'rig'))

from cases import Cases, Skip  # noqa: E402
from ejabberd import Ejabberd  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import free_port, make_authority, on_sigterm  # noqa: E402
from transfers import login, refused, transfer  # noqa: E402

SERVERS = {'prosody': Prosody, 'ejabberd': Ejabberd}
FEW = dict(pairs=4, strangers=0)


def mechanisms(server, account):
    """Which SASL mechanism that account was let in with, by the log."""
    log = (server.folder / 'server.log').read_text(errors='replace')
    if server.kind == 'ejabberd':
        return re.findall(r'Accepted c2s ([A-Z0-9-]+) authentication for '
                          + re.escape(account.bare), log)
    return re.findall(r"<auth[^>]*mechanism='([A-Z0-9-]+)'", log)


def scram(kind, tls, expected):
    with kind(tls=tls, debug=True, **FEW) as server:
        giver, _ = server.all_pairs[-1]
        transfer(server)
        used = mechanisms(server, giver)
        assert used and set(used) == {expected}, used


def plain_inside_tls(kind):
    with kind(debug=True, mechanisms=['PLAIN'], **FEW) as server:
        giver, _ = server.all_pairs[-1]
        transfer(server)
        assert set(mechanisms(server, giver)) == {'PLAIN'}


def no_plain_outside_tls(kind):
    with kind(tls=None, mechanisms=['PLAIN'], debug=True, **FEW) as server:
        account = server.pair()[0]
        refused(login(account, '--server', server.address,
                      '--plain'), 11)
        assert not mechanisms(server, account)


def without_tls(kind):
    with kind(tls=None, **FEW) as server:
        transfer(server, via='ibb')


def tls_missing(kind):
    with kind(tls=None, **FEW) as server:
        refused(login(server.pair()[0], '--server', server.address),
                11)


def wrong_password(server):
    account = server.pair()[0]
    refused(login(account, '--server', server.address, '--ca-file',
                  server.ca, env={'XFERRY_PASSWORD': 'close sesame'}), 10)


def unknown_account(server):
    account = server.pair()[0]
    account.full = f'nobody@{server.domain}/nowhere'
    refused(login(account, '--server', server.address, '--ca-file',
                  server.ca), 10)


def other_authority(server):
    with tempfile.TemporaryDirectory() as folder:
        make_authority(Path(folder))
        refused(login(server.pair()[0], '--server', server.address,
                      '--ca-file', f'{folder}/ca.pem'), 11)


def system_authorities(server):
    refused(login(server.pair()[0], '--server', server.address), 11)


def other_name(kind):
    with kind(names=['other.example'], **FEW) as server:
        refused(login(server.pair()[0], '--server', server.address,
                      '--ca-file', server.ca), 11)


def nobody_listens(server):
    refused(login(server.pair()[0], '--server',
                  f'127.0.0.1:{free_port()}'), 12)


def unknown_host(server):
    # Without a network the question for the name leaves no machine.
    wrap = ['unshare', '-rn']
    if subprocess.run([*wrap, 'true'], check=False).returncode:
        raise Skip('no network namespaces here')
    refused(login(server.pair()[0], '--server',
                  'no-such-host.invalid', wrap=wrap), 12)


def plain_to_the_world(server):
    refused(login(server.pair()[0], '--server', '192.0.2.1:5222',
                  '--plain'), 2)


def main():
    kind = SERVERS[sys.argv[1]]
    over = f'over {kind.kind}'
    cases = Cases()
    on_sigterm()
    cases.add(f'TLS 1.2 {over}: the login is bound to the channel', scram,
              kind, '1.2', 'SCRAM-SHA-256-PLUS')
    cases.add(f'TLS 1.3 {over}: the login is by plain SCRAM', scram, kind,
              '1.3', 'SCRAM-SHA-256')
    cases.add(f'PLAIN is good enough inside TLS {over}', plain_inside_tls,
              kind)
    cases.add(f'PLAIN outside TLS is refused by us {over}',
              no_plain_outside_tls, kind)
    cases.add(f'--plain works on loopback {over}', without_tls, kind)
    cases.add(f'a server without TLS is left {over}', tls_missing, kind)
    cases.add(f'a certificate for another name is refused {over}', other_name,
              kind)
    with kind(strangers=0, pairs=20) as server:
        cases.add(f'a wrong password is said so {over}', wrong_password,
                  server)
        cases.add(f'an unknown account is said so {over}', unknown_account,
                  server)
        cases.add(f'another authority is refused {over}', other_authority,
                  server)
        cases.add(f'the system does not trust our authority {over}',
                  system_authorities, server)
        cases.add('a port nobody listens on is said so', nobody_listens,
                  server)
        cases.add('an unknown host is said so', unknown_host, server)
        cases.add('--plain toward the world is refused', plain_to_the_world,
                  server)
        server.failed = cases.run(only=(sys.argv[2:] or [None])[0]) > 0
        return 1 if server.failed else 0


if __name__ == '__main__':
    sys.exit(main())
