"""A network of our own: one namespace with loopback, one address of a made-up
network that this machine alone has, and ports where nobody answers. Nothing
that runs in it can reach any other machine, whatever a program announces."""

import os
import subprocess
import sys

MARK = 'XFERRY_NETNS'
# The address any local program may find by listing its interfaces.
IPV4, IPV6 = '10.9.0.1', 'fd09::1'
# Below those that servers of tests are given and those of the kernel. On the
# first packets vanish, as behind a firewall; the second refuse at once.
SILENT, REFUSING = (16000, 16499), (16500, 16999)
TABLE = '66'


def words(ports):
    """A range as programs take it."""
    return f'{ports[0]}-{ports[1]}'


def ip(*command):
    done = subprocess.run(['ip', *command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f'ip {" ".join(command)}: {done.stderr}')


def enter(mtu=None):
    """Go on as the same program in a new namespace; call it first thing.
    `mtu` of its loopback: 1500 for what measures, as on the 64 KiB that it has
    TCP stalls like nowhere else."""
    if os.environ.get(MARK) != '1':
        os.environ[MARK] = '1'
        user = [] if os.geteuid() == 0 else ['--map-root-user']
        # A parent that is killed takes the namespace's programs with it.
        os.execvp('unshare', ['unshare', '--net', *user, '--kill-child',
                              '--fork', sys.executable, *sys.argv])
    _set_up()
    if mtu:
        ip('link', 'set', 'lo', 'mtu', str(mtu))


def _set_up():
    ip('link', 'set', 'lo', 'up')
    # What goes out at one end vanishes at the other: nobody reads there, and
    # nobody is asked who has the address, for that none answers is told.
    ip('link', 'add', 'wire0', 'type', 'veth', 'peer', 'name', 'wire1')
    for end in ('wire0', 'wire1'):
        ip('link', 'set', end, 'arp', 'off')
        ip('link', 'set', end, 'up')
    ip('address', 'add', f'{IPV4}/24', 'dev', 'wire0')
    ip('-6', 'address', 'add', f'{IPV6}/64', 'dev', 'wire0', 'nodad')
    for family in ('-4', '-6'):
        # Rules for ports are to come before the one for local addresses.
        ip(family, 'rule', 'add', 'priority', '1000', 'lookup', 'local')
        ip(family, 'rule', 'del', 'priority', '0')
        ip(family, 'route', 'add', 'default', 'dev', 'wire0', 'table', TABLE)
    silence(*SILENT)
    refuse(*REFUSING)


def _rule(priority, first, last, *then):
    for family in ('-4', '-6'):
        ip(family, 'rule', 'add', 'priority', priority, 'ipproto', 'tcp',
           'dport', f'{first}-{last or first}', *then)


def silence(first, last=None):
    """From now on nobody answers on these TCP ports. Silence wins."""
    _rule('9', first, last, 'lookup', TABLE)


def refuse(first, last=None):
    """From now on these TCP ports cannot be reached, and that is told."""
    _rule('10', first, last, 'unreachable')
