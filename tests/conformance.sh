#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What the tests of asyncio ask of such a library, a row for each in conformance.tsv,
# and what becomes of it here: the tests that cover it, as a name or the beginning of
# one and a *; "- why" it does not apply; or "open".  Column 4 says where coil means
# to differ.
#
# A row passes if such a test is found, has passed in the logs of this build folder,
# and its suite has passed as a whole.  Without logs the names alone are looked at.

table=${top_srcdir-.}/tests/conformance.tsv
sources=$(find "${top_srcdir-.}/tests" -name 'check_*.c' | LC_ALL=C sort)
logs=$(find "${top_builddir-.}/tests" -name 'check_*.log' 2>/dev/null | LC_ALL=C sort)
export LC_ALL=C

LOGS=$logs SOURCES=$sources awk -F '\t' '
# The tests of a suite that has passed, by what its log says of each.
function read_log(log_file,   trs, line, word, result)
{
	trs = log_file
	sub(/\.log$/, ".trs", trs)
	while ((getline line < trs) > 0)
		if (line ~ /^:global-test-result:/) {
			split(line, word, / /)
			result = word[2]
		}
	close(trs)
	while ((getline line < log_file) > 0)
		if (line ~ /^[^:]+:[0-9]+:[PFES]:[^:]*:[a-z0-9_]+:[0-9]+: /) {
			split(line, word, /:/)
			fate = word[3] == "P" && result == "PASS" ? "passed" : "failed"
			if (said[word[5]] != "failed")
				said[word[5]] = fate
			told++
		}
	close(log_file)
}

function read_source(file,   line, name)
{
	while ((getline line < file) > 0) {
		if (line !~ /^[A-Z_]+\([a-z0-9_]+\)/)
			continue
		name = line
		sub(/^[A-Z_]+\(/, "", name)
		sub(/\).*/, "", name)
		known[name] = 1
	}
	close(file)
}

function complain(what)
{
	print "conformance: " $1 ": " what
	bad++
}

function is_meant(name, pattern)
{
	if (pattern !~ /\*$/)
		return name == pattern
	return index(name, substr(pattern, 1, length(pattern) - 1)) == 1
}

# Of all tests that are meant: whether there is one, and whether one has failed.
function look(list, pattern,   name, fate)
{
	fate = ""
	for (name in list)
		if (is_meant(name, pattern) && fate != "failed")
			fate = list[name]
	return fate
}

BEGIN {
	count = split(ENVIRON["SOURCES"], files, "\n")
	for (i = 1; i <= count; i++)
		read_source(files[i])
	count = split(ENVIRON["LOGS"], files, "\n")
	for (i = 1; i <= count; i++)
		read_log(files[i])
}

FNR == 1 { next }

{
	rows++
	by_id = tolower($1) "_*"
	gsub(/-/, "_", by_id)
	mine[substr(by_id, 1, length(by_id) - 1)] = 1
	if ($1 in seen)
		complain("it stands there twice")
	seen[$1] = 1
}

$2 ~ /^- ./ || $2 ~ /^open/ {
	if (look(known, by_id) != "")
		complain("there is a test of it")
	if ($2 ~ /^-/)
		apply_not++
	else
		open++
	next
}

{
	n = split($2, patterns, / +/)
	if (!n)
		complain("nothing is said of it")
	fate = "passed"
	for (i = 1; i <= n; i++) {
		if (look(known, patterns[i]) == "") {
			complain("there is no test " patterns[i])
			fate = "missing"
		} else if (told && fate == "passed") {
			fate = look(said, patterns[i])
		}
	}
	if (fate == "passed")
		passed++
	else if (fate == "failed")
		complain("it did not pass")
	else if (fate == "")
		skipped++
}

END {
	for (name in known)
		if (match(name, /^[a-z]+_[0-9][0-9][0-9]_/) && !(substr(name, 1, RLENGTH) in mine)) {
			print "conformance: there is no row for the test " name
			bad++
		}
	if (skipped)
		printf "conformance: %d rows did not run\n", skipped
	printf "conformance: %d rows passed, %d do not apply, %d open%s\n",
		passed, apply_not, open, told ? "" : " (by their names alone)"
	exit bad > 0
}
' "$table"
