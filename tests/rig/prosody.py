"""A throw-away Prosody."""

from server import COMPONENT_SECRET, PASSWORD, Server

TLS = {
    'any': 'tlsv1_2+',
    '1.2': 'tlsv1_2',
    '1.3': 'tlsv1_3',
}

CONFIG = '''\
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
certificates = "{folder}"
log = {{ {level} = "{folder}/server.log" }}
daemonize = false

interfaces = {{ "127.0.0.1" }}
local_interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
c2s_direct_tls_ports = {{ {tls_ports} }}
component_ports = {{ {component_port} }}
component_interfaces = {{ "{component_host}" }}
{proxy_listens}
-- The default waits for the ack of half a block before it sends the rest.
network_settings = {{ nagle = false }}
{limits}

modules_enabled = {{
    "roster", "saslauth", "tls", "disco", "ping", "version", "posix",
    "presence", "message", "iq", "groups", "smacks", {more}
}}
modules_disabled = {{ {without} }}
groups_file = "{folder}/groups.txt"
authentication = "internal_plain"
storage = "internal"
allow_registration = false
disable_sasl_mechanisms = {{ {disabled} }}

{security}
VirtualHost "{domain}"
{ssl}
{more_hosts}
'''

PROXY_LISTENS = '''\
proxy65_ports = {{ {proxy_port} }}
proxy65_interfaces = {{ "127.0.0.1" }}
'''

PROXY = '''\
Component "{proxy}" "proxy65"
    proxy65_address = "{proxy_host}"
    proxy65_acl = {{ "{domain}" }}
'''

COMPONENT = '''\
Component "{jid}"
    component_secret = "{secret}"
'''

SECURE = '''\
c2s_require_encryption = true
c2s_direct_tls_ssl = {{
    key = "{folder}/server.key", certificate = "{folder}/server.pem",
    protocol = "{protocol}",
}}
'''

PLAIN = '''\
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
'''

UNLIMITED = 'c2s_stanza_size_limit = 1024 * 512'

# Word by word what stands in the file that Debian ships; the limit of a
# stanza is not named there and so is Prosody's own 256 KiB.
SHIPPED = '''\
limits = {
    c2s = {
        rate = "10kb/s";
    };
    s2sin = {
        rate = "30kb/s";
    };
}
'''

SSL = '''\
    ssl = {{
        key = "{folder}/server.key", certificate = "{folder}/server.pem",
        protocol = "{protocol}",
    }}
'''


def escape(name):
    """A file name as Prosody's internal storage writes it."""
    return ''.join(c if c.isalnum() else f'%{ord(c):02x}' for c in name)


class Prosody(Server):
    kind = 'prosody'

    def configure(self):
        values = dict(folder=self.folder, port=self.port, domain=self.domain,
                      proxy=self.proxy, proxy_port=self.proxy_port,
                      proxy_host=self.proxy_host,
                      tls_ports=self.tls_port if self.tls else '',
                      level='debug' if self.debug else 'info',
                      disabled=', '.join(f'"{one}"' for one in
                                         self.disabled_mechanisms()),
                      protocol=TLS.get(self.tls, ''))
        without = ['"s2s"']
        if not self.limits:
            without.append('"limits"')
        if not self.tls:
            without.append('"tls"')
        values['more'] = '"limits",' if self.limits else ''
        values['without'] = ', '.join(without)
        values['limits'] = SHIPPED if self.limits else UNLIMITED
        if self.stanza_limit:
            values['limits'] += f'\nc2s_stanza_size_limit = ' \
                                f'{self.stanza_limit}\n'
        values['security'] = SECURE.format(**values) if self.tls else PLAIN
        values['ssl'] = SSL.format(**values) if self.tls else ''
        values['component_port'] = self.component_port or ''
        values['component_host'] = self.component_host
        values['proxy_listens'] = PROXY_LISTENS.format(**values) \
            if self.proxy_port else ''
        values['more_hosts'] = ''.join(
            [PROXY.format(**values)] * bool(self.proxy_port) +
            [COMPONENT.format(jid=jid, secret=COMPONENT_SECRET)
             for jid in self.components])
        (self.folder / 'prosody.cfg.lua').write_text(CONFIG.format(**values))
        self._write_accounts()

    def _write_accounts(self):
        # As `prosodyctl register` would, without a second for each.
        store = self.folder / 'data' / escape(self.domain) / 'accounts'
        store.mkdir(parents=True)
        groups = ''
        for a, b in self.all_pairs + self.all_strangers:
            for one in (a, b):
                (store / f'{escape(one.user)}.dat').write_text(
                    f'return {{ ["password"] = "{PASSWORD}"; }};\n')
        for i, (a, b) in enumerate(self.all_pairs):
            groups += f'[couple{i}]\n{a.bare}\n{b.bare}\n'
        (self.folder / 'groups.txt').write_text(groups)

    def command(self):
        return ['prosody', '--config', str(self.folder / 'prosody.cfg.lua'),
                '-F']
