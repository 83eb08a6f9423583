#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The examples whose output nobody reads, or finds no room, and their options.

. "${top_srcdir-.}/tests/programs.sh"

# fill FILE: until not a byte more goes in.
fill()
{
	dd if=/dev/zero of="$1" bs=4096 count=1000 oflag=nonblock conv=notrunc 2>/dev/null
	dd if=/dev/zero of="$1" bs=1 count=10000 oflag=nonblock conv=notrunc 2>/dev/null
}

# A pipe that is full, and a terminal that is: $sink.
full_pipe()
{
	rm -f pipe
	mkfifo pipe
	exec 9<>pipe
	sink=$work/pipe
	fill "$sink"
}

full_terminal()
{
	rm -f terminal
	start "$backend.terminal" socat "pty,rawer,link=$work/terminal" 'exec:sleep 600'
	while ! test -e terminal && alive "$pid"; do
		sleep 0.05
	done
	exec 9<>terminal
	sink=$work/terminal
	# What reads it takes some, too, before it is full itself.
	for i in 1 2 3 4 5 6 7 8; do
		fill "$sink"
		sleep 0.05
	done
}

# stalled COMMAND ...: behind us, whose stdout and stderr are $sink; its pid is $pid.
stalled()
{
	"$@" >"$sink" 2>"$sink" </dev/null &
	pid=$!
	started="$started $pid"
}

# answers ADDRESS: a line sent there comes back.
answers()
{
	for i in 1 2 3 4 5 6 7 8 9 10; do
		test "$(echo hello | timeout 10 socat -t 5 - "$1" 2>/dev/null)" != hello ||
			return 0
		sleep 0.2
	done
	return 1
}

stop()
{
	kill -TERM "$1"
	finish "$1"
	say $? "$2, and ends by SIGTERM"
}

# echo WHAT: a server, and one that has something to say for each connection.
test_servers()
{
	stalled "$examples/echo" "unix:$work/echo"
	echo=$pid
	answers "unix:$work/echo"
	say $? "echo serves with its output at a full $1"
	stalled "$examples/proxy" "unix:$work/front" "unix:$work/echo"
	proxy=$pid
	answers "unix:$work/front"
	say $? "proxy serves with its output at a full $1"
	stop "$echo" "echo with a full $1"
	for i in 1 2 3; do
		timeout 10 socat -u "unix:$work/front" - >/dev/null 2>&1
		test $? != 124 || break
	done
	say $? "proxy refuses three clients with its output at a full $1"
	stop "$proxy" "proxy with a full $1"
	if test -x "$examples/httpd" && have curl curl; then
		stalled "$examples/httpd" --root . --address "unix:$work/http"
		httpd=$pid
		# Lines of 64 kB and more, which is what the log has room for.
		curl -s --fail --max-time 60 --retry 10 --retry-all-errors --retry-delay 1 -o body \
			--unix-socket http "http://x/done?[1-200]$(printf '%0600d' 0)"
		say $? "httpd answers 200 requests with its output at a full $1"
		stop "$httpd" "httpd with a full $1"
	fi
	stalled "$examples/chat" "unix:$work/chat"
	chat=$pid
	sleep 0.5
	(echo ann; sleep 1) | timeout 10 socat -t 1 - "unix:$work/chat" |
		grep -q 'ann is here'
	say $? "chat serves with its output at a full $1"
	stop "$chat" "chat with a full $1"
}

test_programs()
{
	rm -f done
	stalled "$examples/logmux" 'seq 100000; echo >done'
	finish "$pid"
	test $? = 1 && test -e done
	say $? "logmux lets commands end with its output at a full $1"
	stalled "$examples/logmux" -g 1 "trap '' TERM; yes"
	sleep 1
	kill -TERM "$pid"
	finish "$pid"
	test $? = 1
	say $? "logmux ends by SIGTERM with its output at a full $1"
	stalled "$examples/producer_consumer" --role consumer --address "unix:$work/items"
	consumer=$pid
	while ! test -S items && alive "$consumer"; do
		sleep 0.05
	done
	run "$examples/producer_consumer" --role producer --address "unix:$work/items" \
		--items 2000 --quiet
	say $? "a consumer consumes with its output at a full $1"
	kill -KILL "$consumer"
	rm -f items
}

test_stalled()
{
	rm -f echo front http chat items
	: >done
	full_pipe
	test_servers pipe
	test_programs pipe
	full_terminal
	test_servers terminal
	test_programs terminal
	exec 9>&-
}

# Commands end as if there were room, and somebody is told.
test_full_disk()
{
	test -e /dev/full || return
	rm -f done
	"$examples/logmux" 'seq 100000; echo >done' >/dev/full 2>full.err </dev/null
	test $? = 1 && test -e done && grep -q 'No space left' full.err
	say $? 'logmux lets commands end on a full disk, and says so'
	start full sh -c "exec '$examples/proxy' 'unix:$work/front' 'unix:$work/none' 2>/dev/full"
	for i in 1 2 3; do
		sleep 0.3
		timeout 10 socat -u "unix:$work/front" - >/dev/null 2>&1
		test $? != 124 || break
	done
	say $? 'proxy refuses three clients with a full disk'
	stop "$pid" 'proxy with a full disk'
}

test_options()
{
	backend=any
	for name in run gather wait queue event echo chat proxy logmux producer_consumer; do
		run "$examples/$name" --help
		test $? = 0 && grep -q "^usage: $name" run.out && test ! -s run.err
		say $? "$name --help"
		run "$examples/$name" --nonsense
		test $? = 2 && test -s run.err && test ! -s run.out
		say $? "$name has no option --nonsense"
	done
	for name in run gather wait queue event; do
		run "$examples/$name" word
		test $? = 2
		say $? "$name wants no word"
	done
	for seconds in 0 -1 1x x '' 1000001 9223372037 99999999999999999999; do
		run "$examples/proxy" --idle "$seconds" :0 :1
		test $? = 2
		say $? "proxy --idle '$seconds' is refused"
		run "$examples/logmux" -g "$seconds" true
		test $? = 2
		say $? "logmux -g '$seconds' is refused"
	done
	run "$examples/chat" one two
	test $? = 2
	say $? 'chat wants one word'
}

test_all()
{
	test_stalled
	test_full_disk
}

test_options
if have socat socat; then
	on_each_backend test_all
fi
done_testing
