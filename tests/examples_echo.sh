#!/bin/sh
# SPDX-License-Identifier: MIT
#
# examples/echo, with socat and with a thousand connections at a time.

. "${top_srcdir-.}/tests/programs.sh"
echo_clients=$top_builddir/tests/echo_clients

test_socat()
{
	have socat socat || return
	for peer in "tcp:$tcp" "unix:$work/socket" "abstract:coil-echo-$$"; do
		head -c 3000000 /dev/urandom >bytes
		timeout 30 socat -t 30 - "$peer" <bytes >back
		cmp bytes back
		say $? "three megabytes come back to socat $peer"
	done
}

test_echo()
{
	# A thousand connections want a thousand fds.
	ulimit -Sn "$(ulimit -Hn)"
	serve echo "$examples/echo" 127.0.0.1:0 "unix:$work/socket" \
		"unix:@coil-echo-$$" && wait_for echo.out "unix:@coil-echo-$$"
	say $? 'three addresses'
	tcp=$(sed -n 's/^listening on \(127.*\)/\1/p' echo.out)
	test_socat
	run "$echo_clients" "$tcp" 1000
	say $? 'a thousand connections at a time'
	run "$echo_clients" "unix:$work/socket" 100
	say $? 'a hundred to a unix socket'
	ended "$server" && test ! -s echo.err && test ! -e socket
	say $? 'SIGTERM ends it, and the socket file is gone'
}

test_trouble()
{
	run "$examples/echo"
	test $? = 2 && grep -q '^usage' run.err
	say $? 'status 2 without an address'
	run "$examples/echo" "unix:@coil-echo-$$" nowhere
	test $? = 1 && grep -q 'cannot listen on nowhere: Invalid argument' run.err
	say $? 'status 1 and a word where one of two addresses is none'
}

on_each_backend test_echo
test_trouble
done_testing
