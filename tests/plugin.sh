#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Code that comes and goes by dlopen(3): C++ in a C program, and coil itself.

top_builddir=$(cd "${top_builddir-.}" && pwd)
top_srcdir=$(cd "${top_srcdir-.}" && pwd)
library=$top_builddir/.libs/libcoil.so

case ${CC-cc} in
*clang*) CXX=${CXX-clang++} ;;
*) CXX=${CXX-g++} ;;
esac
if ! test -f "$library" || test -n "$(sed -n 's/^SANITIZER_CFLAGS = //p' "$top_builddir/Makefile")"; then
	echo "skip: there is no shared library without sanitizers"
	exit 77
fi

work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
trap 'exit 99' HUP INT TERM

compile()
{
	${CC-cc} -std=gnu11 -g -O2 -Wall -Wextra -Werror -I"$top_srcdir/include" \
		-c "$top_srcdir/tests/$1.c" -o "$work/$1.o" &&
	"$top_builddir/libtool" --quiet --tag=CC --mode=link ${CC-cc} \
		-o "$work/$1" "$work/$1.o" $2 -ldl
}

status=0
try()
{
	"$@" || { echo "not ok: $* (status $?)"; status=1; }
}

compile plugin_unload || exit 1
for backend in uring epoll; do
	COIL_BACKEND=$backend try "$work/plugin_unload" "$library"
done
if ! command -v "$CXX" >/dev/null; then
	echo "skip: there is no C++ compiler ($CXX)"
	test "$status" = 0 && exit 77
	exit "$status"
fi
compile plugin_host "$top_builddir/libcoil.la" || exit 1
"$CXX" -std=c++17 -g -O2 -Wall -Wextra -Werror -I"$top_srcdir/include" -fPIC -shared \
	"$top_srcdir/tests/plugin.cc" -o "$work/plugin.so" || exit 1
for backend in uring epoll; do
	for when in early late; do
		COIL_BACKEND=$backend try "$work/plugin_host" "$work/plugin.so" $when
	done
done
exit $status
