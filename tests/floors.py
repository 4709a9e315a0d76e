#!/usr/bin/python3
"""Holds the floors of the house: who may include whom, which system headers a
floor may see, and that only base/sys.c calls the system.

    tests/floors.py [ROOT]

Prints each breach and ends with 1, or says how much it looked at.
"""

import re
import sys
from pathlib import Path

# Which of our own floors a floor may include, besides itself.
OURS = {
    'src/base': set(),
    'src/proto': {'base'},
    'src/wire': {'proto', 'base'},
    'src/stream': {'proto', 'base'},
    'src/net': {'base'},
    'src/api': {'base', 'proto', 'wire', 'stream', 'net'},
    'cli': set(),
    'proxyd': set(),
}

# Headers of C that neither wait nor touch the world.
PURE = {'assert.h', 'ctype.h', 'errno.h', 'inttypes.h', 'limits.h',
        'stdalign.h', 'stdarg.h', 'stdbool.h', 'stddef.h', 'stdint.h',
        'stdio.h', 'stdlib.h', 'string.h', 'strings.h', 'stdatomic.h',
        'sys/types.h'}
# Types and constants; the calls themselves are held by SEAM below.
POSIX = {'fcntl.h', 'poll.h', 'sys/socket.h', 'sys/stat.h', 'sys/types.h',
         'sys/statvfs.h', 'sys/time.h', 'sys/uio.h', 'netinet/in.h',
         'netinet/tcp.h', 'arpa/inet.h', 'unistd.h', 'pthread.h', 'signal.h', 'time.h'}

# Regular expressions of the system headers a floor may include.
SYSTEM = {
    # libcrypto for digests only; sys.c is the seam itself.
    'src/base': PURE | {'fcntl.h', 'sys/.*', 'netinet/in.h', 'arpa/inet.h',
                        'openssl/(evp|sha|md5|crypto|err|opensslv)\\.h',
                        'stringprep\\.h', 'idna\\.h', 'idn-free\\.h'},
    'src/proto': PURE | {'gsasl\\.h'},
    'src/wire': PURE | {'expat\\.h'},
    'src/stream': PURE | POSIX,
    'src/net': PURE | POSIX | {'uv\\.h', 'ares.*\\.h', 'openssl/.*',
                               'netdb\\.h', 'ifaddrs\\.h', 'net/if\\.h',
                               'linux/.*', 'idna\\.h', 'idn-free\\.h'},
    # It ties the floors together by their faces, not by their libraries.
    'src/api': PURE | POSIX | {'sched\\.h', 'threads\\.h'},
    'cli': {'.*'},
    'proxyd': {'.*'},
}
# base/sys.c makes the calls; nobody else needs their headers.
SEAM_FILE = 'src/base/sys.c'
# Programs are embedders: the library's face and the system, nothing between.
EMBEDDERS = ('cli', 'proxyd')
NEVER_IN_PROGRAMS = re.compile(r'(uv|ares.*|expat|gsasl|cmocka)\.h|openssl/.*')

# Calls that belong to base/sys.c.
SEAM = '''malloc calloc realloc reallocarray free strdup strndup asprintf
vasprintf open openat creat close dup dup2 dup3 read pread write pwrite readv
writev stat fstat lstat fstatat statvfs fstatvfs fsync fdatasync sync
ftruncate truncate fallocate posix_fallocate link linkat unlink unlinkat
rename renameat renameat2 mkdir mkdirat rmdir socket connect bind listen accept
accept4 recv recvfrom recvmsg send sendto sendmsg sendfile splice shutdown
setsockopt getsockopt getsockname getpeername getrandom getentropy
flock geteuid opendir fdopendir readdir closedir
clock_gettime gettimeofday time rand random fopen fdopen fread fwrite fclose
mmap munmap ioctl fcntl pipe pipe2 epoll_create epoll_create1 epoll_ctl
epoll_wait epoll_pwait'''.split()
# Never, anywhere: they overflow, block, or lie about errors.
BANNED = '''strcpy strcat sprintf vsprintf gets atoi atol atoll strtok alloca
system popen mktemp tmpnam access scanf sscanf'''.split()

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
NOT_CODE = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank(match):
    """Spaces of the same shape, so that line numbers stay."""
    return re.sub(r'[^\n]', ' ', match.group())


def calls(words):
    """Plain calls: neither of a member nor of a longer name, nor declared as
    a function of ours by that name."""
    return re.compile(r'(?<![\w.>])(?<!->)(' + '|'.join(words) + r')\s*\(')


SEAM_CALL, BANNED_CALL = calls(SEAM), calls(BANNED)
# `static void send(...)`, `int (*read)(...)`: a name of ours, not the call.
DEFINED = re.compile(
    r'^(?:static\s+|inline\s+|const\s+|struct\s+|enum\s+|unsigned\s+)*'
    r'\w+[\s*]+(\w+)\s*\(', re.M)


class Floors:
    def __init__(self, root):
        self.root = root
        self.breaches, self.files, self.includes = [], 0, 0

    def breach(self, path, text, at, words):
        line = text.count('\n', 0, at) + 1
        self.breaches.append(f'{path}:{line}: {words}')

    def look(self):
        for floor in OURS:
            for path in sorted((self.root / floor).rglob('*.[ch]')):
                self.look_at(floor, path)
        return self.breaches

    def look_at(self, floor, path):
        text = path.read_text()
        name = str(path.relative_to(self.root))
        self.files += 1
        for match in INCLUDE.finditer(text):
            self.includes += 1
            why = self.refuses(floor, name, *match.groups())
            if why:
                self.breach(name, text, match.start(2), why)
        code = NOT_CODE.sub(blank, text)
        self.look_at_calls(floor, name, code)

    def refuses(self, floor, name, mark, header):
        """Why this include may not be, or None."""
        if header.startswith('xferry/'):
            # The codes are one list for all; the face is for those above.
            if header == 'xferry/error.h' or floor not in OURS or \
                    floor in ('src/api', *EMBEDDERS):
                return None
            return f'{floor} does not know the face, <{header}>'
        if mark == '"':
            return self.refuses_ours(floor, header)
        if name == SEAM_FILE:
            return None
        if floor in EMBEDDERS and NEVER_IN_PROGRAMS.fullmatch(header):
            return f'a program does not see <{header}>'
        if any(re.fullmatch(one, header) for one in SYSTEM[floor]):
            return None
        return f'{floor} must not see <{header}>'

    def refuses_ours(self, floor, header):
        if floor in EMBEDDERS:
            if '/' in header or not (self.root / floor / header).exists():
                return f'{floor} sees include/ and nothing of src, "{header}"'
            return None
        other = header.split('/')[0]
        if '/' not in header:
            return f'"{header}" is to be named with its floor'
        if f'src/{other}' == floor or other in OURS[floor]:
            return None
        return f'{floor} must not include "{header}"'

    def look_at_calls(self, floor, name, code):
        own = set(DEFINED.findall(code))
        for match in BANNED_CALL.finditer(code):
            self.breach(name, code, match.start(1),
                        f'{match.group(1)}() is not to be used')
        if floor in EMBEDDERS or name == SEAM_FILE:
            return
        for match in SEAM_CALL.finditer(code):
            if match.group(1) not in own:
                self.breach(name, code, match.start(1),
                            f'{match.group(1)}() goes through base/sys.h')


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else
                Path(__file__).resolve().parent.parent)
    floors = Floors(root)
    for breach in floors.look():
        print(breach)
    print(f'{floors.files} files, {floors.includes} includes, '
          f'{len(floors.breaches)} breaches')
    # Nothing looked at is nothing held.
    return 1 if floors.breaches or not floors.includes else 0


if __name__ == '__main__':
    sys.exit(main())
