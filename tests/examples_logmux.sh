#!/bin/sh
# SPDX-License-Identifier: MIT
#
# examples/logmux as a user runs it, on both backends.

. "${top_srcdir-.}/tests/programs.sh"
logmux=$examples/logmux

# What it printed, without the time.
printed()
{
	sed 's/^[0-9:.]* //' run.out
}

is()
{
	test "$(printed)" = "$(printf '%s\n' "$@")"
}

has()
{
	printed | grep -qxF "$1"
}

test_merging()
{
	rm -f one two
	mkfifo one two
	run "$logmux" 'echo a; sleep 0.1; echo >one; read x <two; echo c' \
		'read x <one; echo b; sleep 0.1; echo >two; sleep 0.3'
	say $? 'two commands that end well are status 0'
	is '[1] a' '[2] b' '[1] c' '[1] ended with status 0' '[2] ended with status 0'
	say $? 'their lines come as they were printed'
	test "$(grep -c '^[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]\{3\} \[' run.out)" = 5
	say $? 'each with the time'
	run "$logmux" 'echo out; echo err >&2; printf last' 'wc -c'
	has '[1] out' && has '[1] err' && has '[1] last' && has '[2] 0'
	say $? 'errors too, a last line without its end, and nothing to read'
	set --
	while test $# -lt 40; do
		set -- "$@" 'i=0; while [ $i -lt 50 ]; do echo $i; i=$((i+1)); done'
	done
	run "$logmux" "$@" && test "$(wc -l <run.out)" = 2040 &&
		test "$(grep -c '\] 49$' run.out)" = 40
	say $? 'forty commands at once'
}

test_long_lines()
{
	run "$logmux" "head -c 100000 /dev/zero | tr '\\0' x; echo; echo after"
	say $? 'a line of 100000 bytes'
	test "$(grep -c '\] x*$' run.out)" -gt 1 &&
		test "$(tr -cd x <run.out | wc -c)" = 100000 && has '[1] after'
	say $? 'is broken, and nothing of it is lost'
	run "$logmux" "printf 'a\\0b\\n'; head -c 8190 /dev/zero | tr '\\0' y; echo"
	test "$(grep -c '\] y*$' run.out)" = 1 && test "$(tr -cd '\0' <run.out | wc -c)" = 1
	say $? 'any byte goes, and one of 8190 bytes is not broken'
}

test_statuses()
{
	run "$logmux" 'exit 3' true 'kill -9 $$'
	test $? = 1 && has '[1] ended with status 3' && has '[2] ended with status 0' &&
		has '[3] was ended by signal 9 (Killed)'
	say $? 'statuses are told, and one that is not 0 is 1'
	run "$logmux" coil-no-such-command
	test $? = 1 && has '[1] ended with status 127'
	say $? 'a command that is not there'
	run "$logmux"
	test $? = 2 && grep -q usage run.err
	say $? 'no command'
	run "$logmux" -x true
	test $? = 2
	say $? 'an option that is none'
}

# A shell hears a signal when what it waits for has ended.
loop='echo up; while :; do sleep 0.05; done'

test_signals()
{
	for signal in TERM INT HUP; do
		start run "$logmux" "trap 'echo heard $signal; exit 0' $signal; $loop" \
			"trap 'exit 4' $signal; $loop"
		wait_for run.out '\[1\] up$' && wait_for run.out '\[2\] up$'
		say $? "two commands are up before $signal"
		kill -$signal "$pid"
		finish "$pid"
		test $? = 1 && has "[1] heard $signal" && has '[1] ended with status 0' &&
			has '[2] ended with status 4'
		say $? "$signal is passed on"
	done
	start run "$logmux" -g 1 "trap '' TERM; $loop"
	wait_for run.out up$
	kill -TERM "$pid"
	finish "$pid"
	test $? = 1 && has '[1] was ended by signal 9 (Killed)'
	say $? 'one that ignores it is killed after the grace'
	start run "$logmux" -g 1000 "trap '' TERM INT; $loop"
	wait_for run.out up$
	kill -TERM "$pid"
	sleep 0.1
	kill -INT "$pid"
	finish "$pid"
	test $? = 1 && has '[1] was ended by signal 9 (Killed)'
	say $? 'or at the second signal'
}

test_broken_output()
{
	{
		timeout -k 1 30 "$logmux" 'echo $$ >pid; exec yes' 2>run.err </dev/null
		echo $? >status
	} | head -n 1 >run.out
	test "$(cat status)" = 1 && ! kill -0 "$(cat pid)" 2>/dev/null
	say $? 'it ends, and its commands with it, when nobody reads any more'
}

test_logmux()
{
	test_merging
	test_long_lines
	test_statuses
	test_signals
	test_broken_output
}

on_each_backend test_logmux
done_testing
