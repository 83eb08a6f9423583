#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A guard against rot that no noise disturbs: what the paths that matter most take,
# in instructions, as callgrind counts them in tests/count, beside the figures of
# instructions.tsv.  More than a twentieth above is a failure; a figure that has to
# be raised needs its reason in docs/decisions.md.
#
# The figures are those of a compiler and its flags; for others there are none, and
# that is a skip, or a failure where COIL_INSTRUCTIONS=required.  With
# COIL_INSTRUCTIONS=print the lines for instructions.tsv are printed.

figures=${top_srcdir-.}/tests/instructions.tsv
program=${top_builddir-.}/tests/count
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

skip()
{
	echo "skip: $1"
	test "${COIL_INSTRUCTIONS-}" = required && exit 1
	exit 77
}

command -v valgrind >"$work/path" || skip 'valgrind is not installed'
key=$("$program" compiler)
for flag in ${COIL_CFLAGS-}; do
	case $flag in
	-g* | -W*) ;;
	*) key="$key $flag" ;;
	esac
done
if test "${COIL_INSTRUCTIONS-}" != print &&
		! cut -f 1 "$figures" | grep -qxF -e "$key"; then
	skip "there are no figures for $key"
fi

# Each work begins and ends with a dump: the second of the two is its count.
COIL_BACKEND=sim valgrind --quiet --tool=callgrind \
	--callgrind-out-file="$work/out" \
	--dump-before=count_begin --dump-before=count_end \
	"$program" >"$work/works" 2>"$work/errors" ||
	{ cat "$work/errors"; exit 1; }
n=0
while read -r name times; do
	n=$((n + 2))
	sed -n "s/^summary: \([0-9]*\).*/$name $times \1/p" "$work/out.$n"
done <"$work/works" >"$work/counts"

awk -v key="$key" -v print_only="${COIL_INSTRUCTIONS-}" '
BEGIN { FS = "\t" }
FNR == NR { if ($1 == key) kept[$2] = $3; next }
{
	split($0, word, / /)
	figure = word[3] / word[2]
	if (print_only == "print") {
		printf "%s\t%s\t%.1f\n", key, word[1], figure
		next
	}
	fate = "ok"
	if (!(word[1] in kept) || figure > 1.05 * kept[word[1]]) {
		fate = "MORE THAN IT WAS"
		bad++
	}
	printf "%-12s %8.1f instructions, kept %8.1f: %s\n", word[1], figure, kept[word[1]], fate
	seen++
}
END { exit print_only != "print" && (bad || seen < 9) }
' "$figures" "$work/counts"
