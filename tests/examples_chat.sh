#!/bin/sh
# SPDX-License-Identifier: MIT
#
# examples/chat, with people who are socat: two that talk, one that never reads.

. "${top_srcdir-.}/tests/programs.sh"
chat=$examples/chat

# member NAME: what it says is written to NAME.in, what it reads is in NAME.out.
member()
{
	rm -f "$1.in"
	mkfifo "$1.in"
	sh -c "exec socat -t 1 - tcp:$address <$1.in >$1.out 3>&- 4>&-" &
	started="$started $!"
}

test_talk()
{
	member ann
	exec 3>ann.in
	member bob
	exec 4>bob.in
	echo ann >&3
	wait_for ann.out '^\* ann is here$'
	say $? 'the first member'
	echo ann >&4
	wait_for bob.out '^it is taken'
	say $? 'a name is given once'
	echo bob >&4
	wait_for ann.out '^\* bob is here$' && wait_for bob.out '^\* bob is here$'
	say $? 'who comes is told of'
	printf 'hello\033[2J\r\n' >&3
	wait_for ann.out '^<ann> hello\[2J$' && wait_for bob.out '^<ann> hello\[2J$'
	say $? 'a line goes to all, without what would move cursors'
}

# repeat WORD FILE: bob says it until it is there, as a queue may just be full.
repeat()
{
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		echo "$1" >&4
		said=$((said + 1))
		sleep 0.5
		! grep -q "^<bob> $1" "$2" || return 0
	done
	return 1
}

# Everything that bob said is either there, or told to be missing.
adds_up()
{
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		there=$(grep -c '^<bob> ' "$1")
		missing=$(sed -n 's/^\* you missed \([0-9]*\) lines$/\1/p' "$1" |
			awk '{ n += $1 } END { print n + 0 }')
		test $((there + missing)) -lt "$said" || break
		sleep 0.5
	done
	test $((there + missing)) = "$said"
	say $? "$1: $there of $said lines, $missing missed"
}

test_slow()
{
	lines=100000
	line=$(printf '%0200d' 0)
	(exec 3>&- 4>&-; echo mute; while ! test -e end; do sleep 0.1; done) |
		timeout 120 socat -t 1 - "tcp:$address" 3>&- 4>&- |
		(exec 3>&- 4>&-; while ! test -e go; do sleep 0.1; done; cat >mute.out) &
	wait_for ann.out '^\* mute is here'
	say $? 'one who never reads'
	small=$(memory "$server")
	said=$lines
	yes "$line" | head -n $lines >&4
	repeat finished ann.out && repeat finished bob.out
	say $? 'the others go on'
	adds_up ann.out
	: >go
	# Its queue has room when it has read what was in the sockets.
	repeat again mute.out && grep -q '^\* you missed [0-9]* lines$' mute.out
	say $? 'it may read on, and is told what it missed'
	adds_up mute.out
	large=$(memory "$server")
	test -n "$sanitizers" || test "$large" -le $((small + 2048))
	say $? "memory stays: $small kB, then $large kB"
	: >end
}

test_chat()
{
	rm -f end go ./*.out
	serve chat "$chat" 127.0.0.1:0
	test_talk
	test_slow
	exec 3>&-
	wait_for bob.out '^\* ann is gone$'
	say $? 'who goes is told of'
	ended "$server" && test ! -s chat.err
	say $? 'SIGTERM ends it'
	exec 4>&-
}

test_trouble()
{
	run "$chat"
	test $? = 2 && grep -q '^usage' run.err
	say $? 'status 2 without an address'
	run "$chat" nowhere
	test $? = 1 && grep -q 'cannot listen on nowhere: Invalid argument' run.err
	say $? 'status 1 without an address that is one'
}

if have socat socat; then
	on_each_backend test_chat
	test_trouble
fi
done_testing
