#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The programs of examples/ and the README's first one, run as a user would.

. "${top_srcdir-.}/tests/programs.sh"
program=$examples/producer_consumer
expected=$top_srcdir/tests/expected
send_raw=$top_builddir/tests/send_raw

# start_consumer OPTION ...: its pid is $consumer, $address is where it listens.
start_consumer()
{
	start consumer "$program" --role consumer "$@"
	consumer=$pid
	wait_for consumer.out '^listening on '
	address=$(sed -n 's/^listening on //p' consumer.out)
}

whole='^lost 0, duplicated 0, reordered 0'

# number FILE PATTERN: the number that the pattern's \( \) finds there.
number()
{
	sed -n "s/^.*$2.*\$/\\1/p" "$1" | head -n 1
}

# proves FILE ITEMS: that many were consumed, and the proof holds.
proves()
{
	test "$(number "$1" 'consumed \([0-9]*\) of')" = "$2" && grep -q "$whole" "$1"
}

#
# The five programs, all at once: they wait for seconds.
#

five='run gather wait queue event'

start_five()
{
	five_pids=
	for name in $five; do
		start "$backend.$name" "$examples/$name"
		five_pids="$five_pids $name:$pid"
	done
	eval "five_$backend=\$five_pids"
}

finish_five()
{
	eval "five_pids=\$five_$backend"
	for five_pid in $five_pids; do
		name=${five_pid%:*}
		finish "${five_pid#*:}" && cmp "$expected/$name.txt" "$backend.$name.out"
		say $? "examples/$name prints what tests/expected/$name.txt has"
	done
}

#
# producer_consumer.
#

test_default()
{
	shown=
	run "$program"
	say $? 'ten items by default, status 0'
	for word in produced consumed; do
		grep "^$word [0-9]*\$" run.out >lines.out
		for i in 0 1 2 3 4 5 6 7 8 9; do
			echo "$word $i"
		done | cmp -s - lines.out
		say $? "ten lines '$word N', in order"
	done
	proves run.out 10 && test ! -s run.err
	say $? 'a summary, and nothing on stderr'
}

test_addresses()
{
	shown=
	for address in 127.0.0.1:0 '[::1]:0' localhost:0 :0 "unix:$work/socket" \
		"unix:@coil-examples-$$"; do
		case $address in
		'[::1]'*) grep -q '^0*1 ' /proc/net/if_inet6 2>/dev/null || continue ;;
		esac
		run "$program" --address "$address" --items 20000 --quiet &&
			proves run.out 20000
		say $? "both roles at $address"
	done
	test ! -e socket
	say $? 'the socket file is gone'
}

test_shapes()
{
	shown=
	for shape in '--producers 3 --consumers 2' '--producers 7 --queue 1' \
		'--consumers 5 --queue 1' '--queue 3 --size 8' \
		'--producers 2 --size 65536 --items 3000' \
		'--producers 50 --consumers 50 --size 1000' \
		'--producers 4 --items 3' '--producers 3 --items 40001 --from 3'; do
		run "$program" --items 40000 --quiet $shape &&
			grep -q "$whole" run.out &&
			test "$(number run.out 'consumed \([0-9]*\) of')" = \
				"$(number run.out 'consumed [0-9]* of \([0-9]*\)')"
		say $? "$shape"
	done
	run "$program" --items 12 --interval 20ms --work 1.5ms --queue 1 --consumers 2
	say $? 'an interval and work'
	sed -n 's/.* bytes in \([0-9]*\)\.\([0-9]*\) s.*/\1\2/p' run.out >time.out
	read -r milliseconds <time.out
	test "$((1$milliseconds - 10000))" -ge 220
	say $? "eleven intervals of 20 ms take 220 ms, not $milliseconds"
}

test_roles()
{
	shown=
	for place in 127.0.0.1:0 "unix:$work/socket" "unix:@coil-examples-$$"; do
		start_consumer --address "$place" --consumers 2
		run "$program" --role producer --address "$address" --producers 3 \
			--items 50000 && grep -q '50000 acknowledged' run.out
		say $? "a producer at $place"
		finish "$consumer" && proves consumer.out 50000
		say $? "a consumer at $place, which expects what it is told"
	done
	start_consumer --items 1000 --consumers 2
	start other "$program" --role producer --address "$address" --items 500 \
		--interval 100us
	other=$pid
	run "$program" --role producer --address "$address" --items 500 --interval 100us
	finish "$other" && finish "$consumer" && proves consumer.out 1000
	say $? 'a consumer of 1000, and two producers of 500 that do not know each other'
}

# More than sockets hold, one at a time, so that it can be cut in the middle.
many='--producers 2 --items 10000 --size 4096'

# The consumer is killed; another one goes on from where the producer says.
test_killed_consumer()
{
	shown=
	start_consumer --work 50us
	start producer "$program" --role producer --address "$address" $many
	producer=$pid
	wait_for consumer.out '^consumed 999'
	kill -KILL "$consumer"
	finish "$producer"
	test $? = 1 && grep -q 'the consumer is gone.*item: [0-9]' producer.err
	say $? 'a producer says that the consumer is gone, and where'
	from=$(number producer.out 'go on with --from \([0-9]*\)')
	test "${from:-0}" -gt 0
	say $? "from $from"
	start_consumer --quiet
	run "$program" --role producer --address "$address" $many --from "$from"
	say $? 'it goes on there'
	finish "$consumer" && proves consumer.out $((10000 - from))
	say $? 'a new consumer takes the rest'
}

# The producer is stopped; it comes back to the same consumer.
test_stopped_producer()
{
	shown=
	for signal in TERM KILL; do
		start_consumer --work 50us
		start producer "$program" --role producer --address "$address" $many
		producer=$pid
		wait_for consumer.out '^consumed 999'
		kill -$signal "$producer"
		finish "$producer"
		status=$?
		from=$(number producer.out 'go on with --from \([0-9]*\)')
		test $signal = KILL || { test $status = 0 && test "${from:-0}" -gt 0; }
		say $? 'a producer that is stopped says where'
		run "$program" --role producer --address "$address" $many \
			--from "${from:-1}"
		say $? "after SIG$signal it goes on from ${from:-1}"
		finish "$consumer" && proves consumer.out 10000 &&
			grep -q '; [1-9][0-9]* that came again were dropped' consumer.out
		say $? 'the consumer has every item once'
	done
}

test_signals()
{
	shown=
	for signal in INT TERM; do
		start both "$program" --items 1000 --interval 10ms
		both=$pid
		wait_for both.out '^consumed 9'
		kill -$signal "$both"
		finish "$both" && grep -q 'stopped by a signal' both.out &&
			grep -q '^consumed [0-9]* of 1000' both.out &&
			grep -q "$whole" both.out && test ! -s both.err
		say $? "SIG$signal ends both, with a summary"

		start_consumer
		start producer "$program" --role producer --address "$address" \
			--items 1000 --interval 10ms
		producer=$pid
		wait_for consumer.out '^consumed 9'
		kill -$signal "$consumer"
		finish "$consumer" && grep -q 'stopped by a signal' consumer.out &&
			grep -q '^consumed [0-9]* of 1000' consumer.out
		say $? "SIG$signal ends a consumer, with a summary"
		finish "$producer"
		test $? = 1 && test "$(number producer.out 'with --from \([0-9]*\)')" = \
			"$(number consumer.out 'consumed \([0-9]*\) of')"
		say $? 'its last word is what the producer goes on from'
	done
}

# malformed NAME MESSAGE BYTES: closes that connection, and says why.
malformed()
{
	printf "$3" | "$send_raw" "$address" 2>raw.err && wait_for consumer.err "$2"
	say $? "$1: $2"
}

# 28 bytes that say producer 0 of 1, and that there are 300 items.  It is another
# producer than those two.
hello='\0\0\0\034coil\0\0\0\0\0\0\0\001\0\0\0\0\0\0\001\054\0\0\0\0\0\0\0\0'
item0='\0\0\0\014\0\0\0\0\0\0\0\0\0\0\0\0'

test_malformed()
{
	shown=
	start_consumer --quiet
	start producer "$program" --role producer --address "$address" --producers 2 \
		--items 10000 --interval 10ms
	producer=$pid
	wait_for producer.out '^produced 9'
	malformed 'nonsense' 'a frame of 1195725856 bytes is too long' 'GET / HTTP/1.1\r\n\r\n'
	malformed 'no hello' 'its first frame, of 12 bytes, is no hello' "$item0"
	malformed 'a strange hello' 'producer 9 of 1' \
		'\0\0\0\034coil\0\0\0\011\0\0\0\001\0\0\0\0\0\0\0\012\0\0\0\0\0\0\0\0'
	malformed 'too long' 'a frame of 65537 bytes is too long' "$hello\\0\\001\\0\\001"
	malformed 'too short' 'a frame of 7 bytes is too short' "$hello\\0\\0\\0\\007aaaaaaa"
	malformed 'a gap' 'item 1 came where 0 was expected' \
		"$hello\\0\\0\\0\\010\\0\\0\\0\\0\\0\\0\\0\\001"
	malformed 'other bytes' 'item 0 is filled with something else' \
		"$hello\\0\\0\\0\\012\\0\\0\\0\\0\\0\\0\\0\\0\\0x"
	malformed 'an item too many' 'item 300 of only 300' \
		"$hello\\0\\0\\0\\010\\0\\0\\0\\0\\0\\0\\001\\054"
	malformed 'half a frame' 'its end came inside a frame' "$hello\\0\\0"
	malformed 'silence' 'it ended before its first frame' ''
	alive "$producer" && alive "$consumer" && kill -TERM "$producer" && finish "$producer"
	say $? 'the others go on'
	run "$program" --role producer --address "$address" --producers 2 --items 10000 \
		--from "$(number producer.out 'go on with --from \([0-9]*\)')" --quiet
	finish "$consumer" && proves consumer.out 10000
	say $? '... to the end'
}

# The producer is held back: no more is on the way than sockets and queue hold,
# and the whole takes the time that the consumer needs.
test_memory()
{
	shown=
	# How many buffers are in use at a time is chance: three short runs, one long.
	for items in 10000 10000 10000 1000000; do
		work_time=50us
		test $items = 10000 || work_time=2us
		start slow "$program" --quiet --items $items --work $work_time
		while alive "$pid"; do
			grep VmHWM "/proc/$pid/status" >>"memory.$items"
			sleep 0.05
		done 2>/dev/null
		finish "$pid" && proves slow.out $items
		say $? "$items items for a slow consumer"
	done
	small=$(sed -n 's/[^0-9]*\([0-9]*\) kB/\1/p' memory.10000 | sort -n | tail -n 1)
	large=$(sed -n 's/[^0-9]*\([0-9]*\) kB/\1/p' memory.1000000 | sort -n | tail -n 1)
	most=$(number slow.out 'at most \([0-9]*\) on the way')
	seconds=$(number slow.out 'consumed.* bytes in \([0-9]*\)\.')
	test "${most:-1000000}" -lt 300000 && test "${seconds:-0}" -ge 1
	say $? "the producer was held back: $most on the way, $seconds s"
	# A sanitizer keeps what was freed.
	test -n "$sanitizers" || test $((large * 10)) -le $((small * 11))
	say $? "a million items take no more memory: $large kB, ten thousand $small kB"
}

test_options()
{
	shown=
	run "$program" --help && grep -q -- --from run.out
	say $? '--help'
	for options in '--nonsense' '--items' '--items 0' '--items ten' '--items 5x' \
		'--items -1' '--items 99999999999999999999' '--role nobody' \
		'--role producer' '--producers 0' '--consumers 0' '--queue 0' \
		'--size 7' '--size 65537' '--interval 10' '--interval 10ms5' \
		'--work 5parsec' '--from 10' '--from 11' 'word' '--address nowhere' \
		'--address 127.0.0.1' '--role producer --address unix:'; do
		run "$program" $options
		test $? = 2 && test -s run.err && test ! -s run.out
		say $? "status 2 and a message for $options"
	done
	run "$program" --role producer --address "unix:@coil-nobody-$$"
	test $? = 1 && grep -q 'no connection to unix:@coil-nobody' run.err
	say $? 'status 1 where nobody listens'
	start_consumer --address "unix:@coil-examples-$$"
	run "$program" --address "unix:@coil-examples-$$"
	test $? = 1 && grep -q 'cannot listen' run.err
	say $? 'status 1 where somebody listens already'
	kill "$consumer"
	finish "$consumer"
	say $? 'a consumer that nothing came to ends by SIGTERM'
}

test_failures()
{
	shown=
	for name in $five; do
		COIL_BACKEND=none run "$examples/$name"
		test $? = 1 && grep -q "^$name: Invalid argument$" run.err
		say $? "examples/$name says why it fails"
	done
}

test_bar()
{
	shown=
	run "$program" --items 1000000
	test $? = 0 && test ! -s run.err && ! grep -q '^consumed [0-9]*$' run.out
	say $? 'no bar and no lines when stderr is no terminal'
	command -v script >/dev/null || return
	run script -qec "$program --items 1000000" /dev/null
	test $? = 0 && grep -q '\[#*\] 100%  *[0-9]* items/s' run.out
	say $? 'a bar on a terminal'
	run script -qec "stty cols 40; $program --items 1000000" /dev/null
	tr '\r' '\n' <run.out | sed 's/\x1b\[K//' | grep 'items/s$' | grep '%' >bar.out
	grep -q '^\[#* *\] .*100%' bar.out && ! grep -q '^.\{40\}' bar.out
	say $? '... that fits a narrow one'
}

#
# The first program of the README.
#

test_readme()
{
	test -f "$top_srcdir/README.md" || return
	awk '/^```c$/ { on = 1; next } /^```/ && on { exit } on' \
		"$top_srcdir/README.md" >first.c
	"$top_builddir/libtool" --quiet --tag=CC --mode=link ${CC-cc} -std=gnu11 -Wall \
		-Wextra -Wno-unused-parameter -Werror $sanitizers -I"$top_srcdir/include" \
		-o first first.c "$top_builddir/libcoil.la" >first.log 2>&1
	say $? 'the first program of README.md is compiled'
	run ./first && test "$(tail -n 1 run.out)" = 'consumed 9' &&
		test "$(wc -l <run.out)" = 10
	say $? '... and consumes ten items'
}

backends=
for backend in uring epoll; do
	export COIL_BACKEND=$backend
	if run "$examples/gather"; then
		backends="$backends $backend"
		start_five
	else
		echo "skipped: $backend: $(cat run.err)"
	fi
done
for backend in $backends; do
	export COIL_BACKEND=$backend
	test_default
	test_addresses
	test_shapes
	test_roles
	test_killed_consumer
	test_stopped_producer
	test_signals
	test_malformed
	test_memory
	test_bar
done
test_options
test_failures
test_readme
for backend in $backends; do
	finish_five
done
echo "$passed passed, $failed failed"
test -n "$backends" && test $failed = 0
