"""Hosts of a made-up network, each a network namespace with one address on a
bridge of ours. Call netns.enter() before: nothing leads out of there."""

import os
import subprocess

import netns
from server import die_with_parent

HERE = '10.8.0.1'  # our own address on the bridge


class Lan:
    """The bridge, and its hosts by number, 10.8.0.11 and up."""

    def __init__(self):
        netns.ip('link', 'add', 'lan0', 'type', 'bridge')
        netns.ip('address', 'add', f'{HERE}/24', 'dev', 'lan0')
        netns.ip('link', 'set', 'lan0', 'up')
        self.hosts = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for host in self.hosts:
            host.end()
        netns.ip('link', 'del', 'lan0')

    def host(self, apart=False):
        """`apart`: it reaches us, and no other host that is."""
        host = Host(len(self.hosts) + 1)
        self.hosts.append(host)
        if apart:
            netns.ip('link', 'set', host.wire, 'type', 'bridge_slave',
                     'isolated', 'on')
        return host


class Host:
    """A namespace lives as long as the process that holds it."""

    def __init__(self, number):
        self.address = f'10.8.0.{10 + number}'
        self.wire = f'lan{number}'
        self.keeper = subprocess.Popen(
            ['unshare', '--net', 'cat'], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, preexec_fn=die_with_parent)
        self._await()
        netns.ip('link', 'add', self.wire, 'type', 'veth', 'peer', 'name',
                 'eth0', 'netns', str(self.keeper.pid))
        netns.ip('link', 'set', self.wire, 'master', 'lan0', 'up')
        self.ip('link', 'set', 'lo', 'up')
        self.ip('address', 'add', f'{self.address}/24', 'dev', 'eth0')
        self.ip('link', 'set', 'eth0', 'up')

    def _await(self):
        """Until it has a namespace of its own."""
        ours = os.stat('/proc/self/ns/net').st_ino
        while os.stat(f'/proc/{self.keeper.pid}/ns/net').st_ino == ours:
            if self.keeper.poll() is not None:
                raise RuntimeError('no network namespace can be made')

    @property
    def inside(self):
        """Words in front of a command that is to run there."""
        return ['nsenter', '-t', str(self.keeper.pid), '-n', '--']

    def ip(self, *words):
        subprocess.run([*self.inside, 'ip', *words], check=True)

    def cut(self):
        """From now on no packet comes or goes, and nobody is told."""
        netns.ip('link', 'set', self.wire, 'nomaster')

    def end(self):
        self.keeper.kill()
        self.keeper.wait()
