#!/bin/sh
# SPDX-License-Identifier: MIT
#
# examples/proxy, between socat or curl and socat or httpd.

. "${top_srcdir-.}/tests/programs.sh"
proxy=$examples/proxy

# start_target NAME COMMAND: what serves at unix:NAME.
start_target()
{
	start "$1.target" socat "unix-listen:$work/$1,fork" "$2"
	while ! test -S "$work/$1" && alive "$pid"; do
		sleep 0.05
	done
}

# start_proxy ARGUMENTS ...: $proxied is its pid, $address its address.
start_proxy()
{
	serve proxy "$proxy" "$@"
	proxied=$server
}

test_half_closes()
{
	start_target sort exec:sort
	start_proxy 127.0.0.1:0 "unix:$work/sort"
	for pass in 1 2; do
		printf 'b\nc\na\n' | timeout 20 socat -t 20 - "tcp:$address" >sorted
		test "$(xargs <sorted)" = 'a b c'
		say $? 'the end of what a client sends is passed on, and the answer comes'
	done
	ended "$proxied"
	say $? 'SIGTERM ends it'
	start_target greet "system:'echo hello; exec >&-; cat >got',pipes"
	start_proxy "unix:$work/front" "unix:$work/greet"
	(sleep 1; echo late) | timeout 20 socat -t 20 - "unix:$work/front" >greeting
	wait_for got late && test "$(cat greeting)" = hello
	say $? 'the end of what a target sends is passed on, and the client goes on'
	ended "$proxied" && test ! -e front
	say $? 'SIGTERM ends it'
}

# Many megabytes to a reader that is slow: they wait at their sender.
test_upload()
{
	start_target sink 'system:sleep 1; cat >/dev/null'
	start_proxy '[::1]:0' "unix:$work/sink" || start_proxy 127.0.0.1:0 "unix:$work/sink"
	head -c 1M /dev/zero | timeout 60 socat -t 60 - "tcp:$address"
	small=$(memory "$proxied")
	head -c 256M /dev/zero | timeout 60 socat -t 60 - "tcp:$address"
	say $? '256 MiB to a slow reader'
	flat "$small" "$(memory "$proxied")"
	ended "$proxied"
	say $? 'SIGTERM ends it'
}

# A sanitizer keeps what was freed.
flat()
{
	test -n "$sanitizers" || test "$2" -le $(($1 * 11 / 10 + 512))
	say $? "much takes no more memory: $2 kB, little $1 kB"
}

test_httpd()
{
	have curl curl && have "$examples/httpd" "libllhttp-dev or node-llhttp" || return
	mkdir -p www
	echo hello >www/hello
	truncate -s 1G www/large
	start httpd "$examples/httpd" --root www --address 127.0.0.1:0 --quiet
	httpd=$pid
	wait_for httpd.err '^listening on '
	start_proxy 127.0.0.1:0 "$(sed -n 's/^listening on //p' httpd.err)"
	run curl -s "http://$address/hello" && test "$(cat run.out)" = hello &&
		run curl -s -r 0-999999 -o part "http://$address/large"
	say $? 'curl through proxy to httpd'
	small=$(memory "$proxied")
	size=$(timeout 120 curl -s "http://$address/large" | wc -c)
	test "$size" = 1073741824
	say $? "one GiB comes through: $size"
	flat "$small" "$(memory "$proxied")"
	ended "$proxied" && test ! -s proxy.err && ended "$httpd"
	say $? 'SIGTERM ends both'
}

test_time()
{
	start_target silent 'exec:sleep 60'
	start_proxy --idle 3 127.0.0.1:0 "unix:$work/silent"
	timeout 20 socat -u "tcp:$address" - >/dev/null 2>&1
	test $? != 124 && wait_for proxy.err ': closed: Connection timed out'
	say $? 'who is silent is cut off'
	ended "$proxied"
	say $? 'SIGTERM ends it'

	# Longer than the limit in all, however long a stall between two bytes is.
	start_proxy --idle 12 127.0.0.1:0 "unix:$work/silent"
	(for i in 1 2 3 4 5 6 7; do sleep 2; echo "$i"; done) |
		timeout 60 socat -u - "tcp:$address"
	test ! -s proxy.err
	say $? 'who is not, is not'
	ended "$proxied"
	say $? 'SIGTERM ends it'

	# Whose backlog is full does not answer.
	start stuck socat -d -d tcp-listen:0,bind=127.0.0.1,backlog=0 -
	stuck=$pid
	wait_for stuck.err 'listening on'
	port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' stuck.err)
	kill -STOP "$stuck"
	for i in 1 2 3; do
		start "fill$i" timeout 20 socat -u "tcp:127.0.0.1:$port" -
	done
	sleep 0.3
	start_proxy --connect 1 127.0.0.1:0 "127.0.0.1:$port"
	timeout 20 socat -u "tcp:$address" - >/dev/null 2>&1
	test $? != 124 && wait_for proxy.err ":$port: Connection timed out"
	say $? 'a target that does not answer'
	ended "$proxied"
	say $? 'SIGTERM ends it'
	kill -KILL "$stuck"
}

# has_fds PID NUMBER: the process comes to have so many.
has_fds()
{
	for i in $(seq 200); do
		test "$(ls "/proc/$1/fd" | wc -l)" != "$2" || return 0
		sleep 0.05
	done
	return 1
}

# A target that takes nothing, while bytes for it are queued.
test_stalled_target()
{
	start_target stalled 'exec:sleep 60'
	start_proxy --idle 2 127.0.0.1:0 "unix:$work/stalled"
	before=$(ls "/proc/$proxied/fd" | wc -l)
	head -c 64M /dev/zero | timeout 20 socat -u - "tcp:$address" 2>/dev/null
	wait_for proxy.err ': closed: Connection timed out' && has_fds "$proxied" "$before"
	say $? 'a stalled target is let go'
	ended "$proxied"
	say $? 'SIGTERM ends it'
}

# A target that dies in the middle of its answer.
test_reset()
{
	echo 'echo half; sleep 1; kill -KILL $PPID' >die
	start broken socat -d -d tcp-listen:0,bind=127.0.0.1,fork,linger=0 'exec:sh die'
	wait_for broken.err 'listening on'
	port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' broken.err)
	start_proxy 127.0.0.1:0 "127.0.0.1:$port"
	timeout 20 socat -d -u "tcp:$address" - >half 2>reset.err
	test "$(cat half)" = half && grep -q 'reset by peer' reset.err
	say $? 'the reset of a target is passed on'
	ended "$proxied"
	say $? 'SIGTERM ends it'
}

test_proxy()
{
	rm -f sort greet sink silent stalled front got
	test_half_closes
	test_upload
	test_httpd
	test_time
	test_stalled_target
	test_reset
	start_proxy 127.0.0.1:0 "unix:$work/nobody"
	timeout 20 socat -u "tcp:$address" - >/dev/null 2>&1
	wait_for proxy.err "unix:$work/nobody: No such file or directory" && ended "$proxied"
	say $? 'no target'
}

test_trouble()
{
	for options in '' one 'one two three' '--idle 0 :0 :1' '--nonsense :0 :1'; do
		run "$proxy" $options
		test $? = 2 && grep -q '^usage' run.err
		say $? "status 2 for '$options'"
	done
	run "$proxy" nowhere 127.0.0.1:1
	test $? = 1 && grep -q 'cannot listen on nowhere' run.err
	say $? 'status 1 without an address'
}

if have socat socat; then
	on_each_backend test_proxy
	test_trouble
fi
done_testing
