#!/bin/bash
# Holds the face: each public header compiles alone, as pedantic C11 and as
# C++, and the shared library exports what tests/exports.txt lists and nothing
# else. A new public function is added there on purpose.
#
#   tests/exports.sh LIBXFERRY.SO [CC [CXX]]
set -euo pipefail
export LC_ALL=C
lib=$(realpath "$1")
cd "$(dirname "$0")/.."
cc=${2:-gcc}
cxx=${3:-g++}
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for header in include/xferry/*.h; do
    name=xferry/${header##*/}
    printf '#include <%s>\n#include <%s>\nint x;\n' "$name" "$name" \
        >"$work/one.c"
    cp "$work/one.c" "$work/one.cc"
    "$cc" -std=c11 -pedantic-errors -Wall -Wextra -Werror -Iinclude \
        -fsyntax-only "$work/one.c" || failed=1
    "$cxx" -std=c++11 -pedantic-errors -Wall -Wextra -Werror -Iinclude \
        -fsyntax-only "$work/one.cc" || failed=1
done

# Sanitizers put symbols of their own beside ours.
nm -D --defined-only "$lib" | awk '{ print $NF }' |
    grep -v -E '^(__asan|__ubsan|__lsan|__odr_asan|_init$|_fini$)' |
    sort >"$work/exported" || true
# What the headers declare, so that nothing is promised and missing.
cat include/xferry/*.h | tr '\n' ' ' |
    grep -o 'XF_API [^;{]*(' | grep -o 'xf_[a-z0-9_]*(' | tr -d '(' |
    sort -u >"$work/declared"

compare() {
    if ! diff -u --label "$1" --label "$3" "$2" "$4"; then
        echo "exports: $3 is not $1" >&2
        failed=1
    fi
}
compare tests/exports.txt <(sort tests/exports.txt) \
    'the exports of the library' "$work/exported"
compare tests/exports.txt <(sort tests/exports.txt) \
    'what the headers declare' "$work/declared"

((failed == 0)) && echo "exports: $(wc -l <"$work/exported") functions," \
    "$(ls include/xferry/*.h | wc -l) headers"
exit "$failed"
