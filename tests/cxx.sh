#!/bin/sh
# SPDX-License-Identifier: MIT
#
# cxx.cc, compiled with the C++ compiler and linked as a user would, on each backend.

top_builddir=$(cd "${top_builddir-.}" && pwd)
top_srcdir=$(cd "${top_srcdir-.}" && pwd)

# As configure was asked to: a library with sanitizers needs a program with them.
flags=$(sed -n 's/^SANITIZER_CFLAGS = //p' "$top_builddir/Makefile")
case ${CC-cc} in
*clang*) CXX=${CXX-clang++} ;;
*) CXX=${CXX-g++} ;;
esac
if ! command -v "$CXX" >/dev/null; then
	echo "skip: there is no C++ compiler ($CXX)"
	exit 77
fi

work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
trap 'exit 99' HUP INT TERM

# shellcheck disable=SC2086
"$CXX" -std=c++17 -g -O2 -Wall -Wextra -Werror $flags -I"$top_srcdir/include" \
	-c "$top_srcdir/tests/cxx.cc" -o "$work/cxx.o" || exit 1
# shellcheck disable=SC2086
"$top_builddir/libtool" --quiet --tag=CC --mode=link "$CXX" $flags \
	-o "$work/cxx" "$work/cxx.o" "$top_builddir/libcoil.la" || exit 1

status=0
for backend in uring epoll; do
	COIL_BACKEND=$backend "$work/cxx"
	case $? in
	0) echo "ok on $backend" ;;
	*) echo "not ok on $backend"; status=1 ;;
	esac
done
exit $status
