#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Each function that the library exports is in check_null.c: tried with NULL, or named
# among those for which there is no such thing.

library=${top_builddir-.}/.libs/libcoil.so
table=${top_srcdir-.}/tests/check_null.c

if ! test -f "$library"; then
	echo "skip: there is no shared library"
	exit 77
fi
missing=0
for name in $(${NM-nm} -D --defined-only "$library" | sed 's/.* //; s/@.*//' | grep '^coil_'); do
	grep -qw -e "$name" "$table" && continue
	echo "$name is not in tests/check_null.c"
	missing=1
done
exit $missing
