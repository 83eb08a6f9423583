#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/layers accepts a tree in which each room uses those below, and refuses one with
# an upward include, one with an upward call, and one with a circle of objects.

set -e
layers=$(cd "${srcdir-.}" && pwd)/tools/layers
work=$(mktemp -d "${TMPDIR-/tmp}/coil-layers.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/tools" "$work/core/task" "$work/core/wait" "$work/io" "$work/sync" \
	"$work/include/coil" "$work/examples" "$work/bench" "$work/tests"
cp "$layers" "$work/tools/layers"
cd "$work"
: >config.status
status=0

# file NAME TEXT: writes a source, and its object.
file()
{
	printf '%s\n' "$2" >"$1"
	${CC-cc} -I. -c -o "${1%.c}.o" "$1"
}

# expect accepted|refused WHAT
expect()
{
	if tools/layers >out 2>&1; then result=accepted; else result=refused; fi
	if test $result = "$1"; then
		echo "ok: $2 is $1"
	else
		echo "not ok: $2 is $result"
		cat out
		status=1
	fi
}

file core/task/ground.c 'int coil__ground(void) { return 1; }'
file core/wait/above.c 'int coil__ground(void); int coil__above(void) { return coil__ground(); }'
file io/top.c 'int coil__above(void); int coil_top(void) { return coil__above(); }'
expect accepted 'a tree without faults'

: >core/wait/above.h
file core/task/ground.c '#include "core/wait/above.h"
int coil__ground(void) { return 1; }'
expect refused 'an upward include'

file core/task/ground.c 'int coil__above(void); int coil__ground(void) { return coil__above(); }'
expect refused 'an upward call'

file core/task/ground.c 'int coil__ground(void) { return 1; }'
file io/other.c 'int coil_top(void); int coil_other(void) { return coil_top(); }'
file io/top.c 'int coil_other(void); int coil_top(void) { return coil_other(); }'
expect refused 'a circle of objects'

exit $status
