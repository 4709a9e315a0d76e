"""A throw-away ejabberd: an Erlang without distribution, so that no epmd is
started and none is left."""

import os
import signal

from server import COMPONENT_SECRET, PASSWORD, Server

TLS = {
    'any': ['no_sslv2', 'no_sslv3', 'no_tlsv1', 'no_tlsv1_1'],
    '1.2': ['no_sslv2', 'no_sslv3', 'no_tlsv1', 'no_tlsv1_1', 'no_tlsv1_3'],
    '1.3': ['no_sslv2', 'no_sslv3', 'no_tlsv1', 'no_tlsv1_1', 'no_tlsv1_2'],
}

CONFIG = '''\
hosts: ["{domain}"]
loglevel: {level}
{certificates}
listen:
  - port: {port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    max_stanza_size: {stanza}
    shaper: {shaper}
    access: all
{starttls}{service}
modules:
  mod_disco: {{}}
  mod_ping: {{}}
  mod_roster: {{}}
  mod_stream_mgmt: {{}}
  mod_version: {{}}
{own_proxy}auth_method: internal
auth_password_format: plain
disable_sasl_mechanisms: [{disabled}]
# Nothing may reach for the network.
acme:
  auto: false
{limits}
'''

PROXY = '''\
  mod_proxy65:
    host: "{proxy}"
    ip: "127.0.0.1"
    hostname: "{proxy_host}"
    port: {proxy_port}
    access: all
    max_connections: infinity
    shaper: none
'''

SERVICE = '''\
  - port: {port}
    ip: "{host}"
    module: ejabberd_service
    access: all
    shaper: none
    # Else who comes as one of them is given what is sent to any of them.
    global_routes: false
    hosts:
'''

# As in the file that Debian ships; there are no admins here.
SHIPPED = '''\
shaper:
  normal:
    rate: 3000
    burst_size: 20000
  fast: 200000
shaper_rules:
  max_user_sessions: 10
  c2s_shaper:
    normal: all
  s2s_shaper: fast
'''

STARTTLS = '''\
    starttls: true
    starttls_required: true
    protocol_options: [{options}]
  - port: {tls_port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    max_stanza_size: {stanza}
    shaper: {shaper}
    access: all
    tls: true
    protocol_options: [{options}]
'''


class Ejabberd(Server):
    kind = 'ejabberd'
    # Nothing of it is to be kept, and an orderly stop takes seconds.
    stop_signal = signal.SIGKILL

    def configure(self):
        certificates = starttls = ''
        stanza, shaper = (262144, 'c2s_shaper') if self.limits \
            else (524288, 'none')
        if self.tls:
            certificates = f'certfiles: ["{self.folder}/all.pem"]'
            starttls = STARTTLS.format(
                tls_port=self.tls_port, stanza=stanza, shaper=shaper,
                options=', '.join(f'"{o}"' for o in TLS[self.tls]))
        (self.folder / 'ejabberd.yml').write_text(CONFIG.format(
            domain=self.domain, port=self.port, own_proxy=self._proxy(),
            service=self._service(), stanza=stanza, shaper=shaper,
            limits=SHIPPED if self.limits else '', certificates=certificates,
            starttls=starttls, level='debug' if self.debug else 'info',
            disabled=', '.join(f'"{one}"' for one in
                               self.disabled_mechanisms())))
        (self.folder / 'inetrc').write_text(
            '{lookup,["file","native"]}.\n'
            '{host,{127,0,0,1},["localhost"]}.\n')

    def _proxy(self):
        return PROXY.format(proxy=self.proxy, proxy_port=self.proxy_port,
                            proxy_host=self.proxy_host) \
            if self.proxy_port else ''

    def _service(self):
        if not self.components:
            return ''
        return SERVICE.format(host=self.component_host,
                              port=self.component_port) + ''.join(
            f'      "{jid}":\n        password: "{COMPONENT_SECRET}"\n'
            for jid in self.components)

    def _accounts(self):
        """The Erlang that makes them."""
        def text(word):
            return f'<<"{word}">>'
        users = ', '.join(text(one.user) for couple in
                          self.all_pairs + self.all_strangers
                          for one in couple)
        pairs = ', '.join(f'{{{text(a.user)}, {text(b.user)}}}'
                          for a, b in self.all_pairs)
        domain = text(self.domain)
        return (
            f'D = {domain}, '
            f'[ok = ejabberd_auth:try_register(U, D, {text(PASSWORD)}) '
            f'|| U <- [{users}]], '
            'Add = fun(A, B) -> ok = mod_admin_extra:add_rosteritem('
            'A, D, B, D, B, <<>>, <<"both">>) end, '
            f'[begin Add(A, B), Add(B, A) end || {{A, B}} <- [{pairs}]], '
            # A kill must not find any of it in memory only.
            'dumped = mnesia:dump_log(), ok = mnesia:sync_log(), '
            '[ok = dets:sync(T) || T <- '
            'mnesia_lib:val({schema, local_tables}), '
            'mnesia_lib:storage_type_at_node(node(), T) =:= '
            'disc_only_copies], '
            'ok = file:write_file("ready", <<"ok">>).')

    def command(self):
        # A restart finds them in its tables.
        accounts = [] if (self.folder / 'ready').exists() \
            else ['-eval', self._accounts()]
        return ['erl', '-noinput', '+K', 'true', '+sbwt', 'none',
                '-mnesia', 'dir', f'"{self.folder}/mnesia"',
                '-s', 'ejabberd', *accounts]

    def environment(self):
        return dict(super().environment(),
                    ERL_LIBS='/usr/lib/' + os.uname().machine + '-linux-gnu',
                    EJABBERD_CONFIG_PATH=str(self.folder / 'ejabberd.yml'),
                    EJABBERD_LOG_PATH=str(self.folder / 'server.log'),
                    ERL_CRASH_DUMP=str(self.folder / 'crash.dump'),
                    ERL_INETRC=str(self.folder / 'inetrc'))

    def ready(self):
        return (self.folder / 'ready').exists() and self.listening()
