#!/bin/sh
# SPDX-License-Identifier: MIT
#
# examples/logmux as a user runs it, on both engines.  Every wait is bounded.

export LC_ALL=C
logmux=$(cd "${top_builddir-.}" && pwd)/examples/logmux
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
trap 'exit 99' HUP INT TERM
cd "$work" || exit 99
passed=0
failed=0

say()
{
	if test "$1" = 0; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok: $COIL_BACKEND: $2"
		tail -n 20 out err
	fi
}

# run ARGUMENT ...: to its end; without.time has its lines without the time.
run()
{
	timeout -k 1 30 "$logmux" "$@" >out 2>err </dev/null
	set -- $?
	sed 's/^[0-9:.]* //' out >without.time
	return "$1"
}

# until_so COMMAND ...: 20 s at most.
until_so()
{
	ticks=0
	until "$@"; do
		test $ticks -lt 400 || return 1
		sleep 0.05
		ticks=$((ticks + 1))
	done
}

# start COMMANDS ARGUMENT ...: behind us, until so many commands are up.
start()
{
	wanted=$1
	shift
	# What the last ones said is not said by these.
	: >out
	"$logmux" "$@" >out 2>err </dev/null &
	pid=$!
	until_so are_up
}

are_up()
{
	test "$(grep -c '\] up$' out)" = "$wanted"
}

# A child that nobody has waited for yet is at its end.
is_over()
{
	! grep -q '^State:[[:space:]]*[A-WYa-z]' "/proc/$pid/status" 2>/dev/null
}

# finish: as run, for what was started.
finish()
{
	until_so is_over || kill -KILL "$pid"
	wait "$pid"
	set -- $?
	sed 's/^[0-9:.]* //' out >without.time
	return "$1"
}

is()
{
	printf '%s\n' "$@" | cmp -s - without.time
}

has()
{
	grep -qxF "$1" without.time
}

test_merging()
{
	rm -f one two
	mkfifo one two
	run 'echo a; sleep 0.1; echo >one; read x <two; echo c' \
		'read x <one; echo b; sleep 0.1; echo >two; sleep 0.3'
	say $? 'two commands that end well are status 0'
	is '[1] a' '[2] b' '[1] c' '[1] ended with status 0' '[2] ended with status 0'
	say $? 'their lines come as they were printed'
	test "$(grep -c '^[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]\{3\} \[' out)" = 5
	say $? 'each with the time'
	run 'echo out; echo err >&2; printf last' 'wc -c'
	has '[1] out' && has '[1] err' && has '[1] last' && has '[2] 0'
	say $? 'errors too, a last line without its end, and nothing to read'
	set --
	while test $# -lt 40; do
		set -- "$@" 'i=0; while [ $i -lt 50 ]; do echo $i; i=$((i+1)); done'
	done
	run "$@" && test "$(wc -l <out)" = 2040 && test "$(grep -c '\] 49$' out)" = 40
	say $? 'forty commands at once'
}

test_long_lines()
{
	run "head -c 100000 /dev/zero | tr '\\0' x; echo; echo after"
	say $? 'a line of 100000 bytes'
	test "$(grep -c '\] x*$' out)" -gt 1 &&
		test "$(tr -cd x <out | wc -c)" = 100000 && has '[1] after'
	say $? 'is broken, and nothing of it is lost'
	run "printf 'a\\0b\\n'; head -c 8190 /dev/zero | tr '\\0' y; echo"
	test "$(grep -c '\] y*$' out)" = 1 && test "$(tr -cd '\0' <out | wc -c)" = 1
	say $? 'any byte goes, and one of 8190 bytes is not broken'
}

test_statuses()
{
	run 'exit 3' true 'kill -9 $$'
	test $? = 1 && has '[1] ended with status 3' && has '[2] ended with status 0' &&
		has '[3] was ended by signal 9 (Killed)'
	say $? 'statuses are told, and one that is not 0 is 1'
	run coil-no-such-command
	test $? = 1 && has '[1] ended with status 127'
	say $? 'a command that is not there'
	run
	test $? = 2 && grep -q usage err
	say $? 'no command'
	run -x true
	test $? = 2
	say $? 'an option that is none'
}

# A shell hears a signal when what it waits for has ended.
loop='echo up; while :; do sleep 0.05; done'

test_signals()
{
	for signal in TERM INT HUP; do
		start 2 "trap 'echo heard $signal; exit 0' $signal; $loop" \
			"trap 'exit 4' $signal; $loop"
		say $? "two commands are up before $signal"
		kill -$signal "$pid"
		finish
		test $? = 1 && has "[1] heard $signal" && has '[1] ended with status 0' &&
			has '[2] ended with status 4'
		say $? "$signal is passed on"
	done
	start 1 -g 1 "trap '' TERM; $loop"
	kill -TERM "$pid"
	finish
	test $? = 1 && has '[1] was ended by signal 9 (Killed)'
	say $? 'one that ignores it is killed after the grace'
	start 1 -g 1000 "trap '' TERM INT; $loop"
	kill -TERM "$pid"
	sleep 0.1
	kill -INT "$pid"
	finish
	test $? = 1 && has '[1] was ended by signal 9 (Killed)'
	say $? 'or at the second signal'
}

test_broken_output()
{
	{
		timeout -k 1 30 "$logmux" 'echo $$ >pid; exec yes' 2>err </dev/null
		echo $? >status
	} | head -n 1 >out
	test "$(cat status)" = 1 && ! kill -0 "$(cat pid)" 2>/dev/null
	say $? 'it ends, and its commands with it, when nobody reads any more'
}

for COIL_BACKEND in uring epoll; do
	export COIL_BACKEND
	if ! run true; then
		echo "skip on $COIL_BACKEND: $(cat err)"
		continue
	fi
	test_merging
	test_long_lines
	test_statuses
	test_signals
	test_broken_output
done
echo "examples_logmux: $passed passed, $failed failed"
test $failed = 0 && test $passed -gt 0
