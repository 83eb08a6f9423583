#!/bin/sh
# SPDX-License-Identifier: MIT
#
# examples/httpd, with curl, wrk, ab and, for what these do not say, socat.

. "${top_srcdir-.}/tests/programs.sh"
httpd=$examples/httpd

make_files()
{
	mkdir -p www/folder/with www/index secret
	echo secret >secret/file
	printf '0123456789' >www/digits.txt
	: >www/empty
	echo '<p>index' >www/index/index.html
	echo percent >'www/folder/50% & <more>'
	echo quote >"www/folder/it's \"b\".txt"
	echo colon >'www/folder/a:b'
	ln -s "$work/secret/file" www/absolute
	ln -s ../secret www/outside
	ln -s folder/a:b www/inside
	mkfifo www/fifo
	head -c 3000000 /dev/urandom >www/big
	truncate -s 60000000 www/zeros
	mkdir www/many
	(cd www/many && seq 1 10050 | xargs touch)
	touch -d '2020-02-03 04:05:06 UTC' www/digits.txt
}

start_httpd()
{
	start httpd "$@"
	server=$pid
	wait_for httpd.err '^listening on ' || return
	address=$(sed -n 's/^listening on //p' httpd.err)
	url=http://$address
}

# get STATUS ARGUMENTS ...: curl says that status; head and body are in files.
get()
{
	want=$1
	shift
	: >body
	got=$(curl -s --path-as-is --max-time 20 -D head -o body -w '%{http_code}' "$@")
	test "$got" = "$want"
}

header()
{
	tr -d '\r' <head | sed -n "s/^$1: //p"
}

body_is()
{
	test "$(cat body)" = "$1"
}

# ask BYTES: what comes back is in raw.out.
ask()
{
	printf "$1" | timeout 20 socat -t 20 - "tcp:$address" >raw.out 2>raw.err
}

# statuses STATUS ...: those of raw.out, and no other.
statuses()
{
	test "$(grep -ao 'HTTP/1.1 [0-9]* ' raw.out | cut -d ' ' -f 2 | xargs)" = "$*"
}

test_files()
{
	get 200 "$url/digits.txt" && body_is 0123456789 &&
		test "$(header Content-Length)" = 10 &&
		test "$(header Content-Type)" = 'text/plain; charset=utf-8' &&
		test "$(header Last-Modified)" = 'Mon, 03 Feb 2020 04:05:06 GMT' &&
		header Date | grep -q ', [0-9][0-9] [A-Z][a-z][a-z] 20.* GMT$'
	say $? 'a file'
	get 200 -I "$url/digits.txt" && cmp head body && test "$(header Content-Length)" = 10
	say $? 'HEAD has the head alone'
	get 200 "$url/empty" && body_is ''
	say $? 'an empty file'
	get 200 "$url/big" && cmp body www/big
	say $? 'a large file'
	get 200 "$url/digits.txt?a=b/../c" && body_is 0123456789
	say $? 'what comes behind a question mark is no name'
	get 200 "$url/%64igits%2Etxt" && body_is 0123456789
	say $? 'names are decoded'
	get 404 "$url/none" && get 404 "$url/digits.txt/" && get 403 "$url/fifo"
	say $? 'what is no file is 404, or 403'
	rm -f woken
	sh -c ': >www/fifo; : >woken' &
	writer=$!
	started="$started $writer"
	sleep 0.1
	get 403 "$url/fifo" && get 403 "$url/fifo" && sleep 0.1 && test ! -e woken
	say $? 'a FIFO is not opened: who waits to write to it is not woken'
	alive "$writer" && kill -KILL "$writer"
	ln -sf fifo www/index.fifo
	get 403 "$url/index.fifo"
	say $? 'a link to a FIFO is 403'
	get 200 --request-target "http://any.host/digits.txt" "$url/" && body_is 0123456789
	say $? 'a target as proxies have it'
}

test_folders()
{
	get 301 "$url/folder?q=1" && test "$(header Location)" = '/folder/?q=1' &&
		get 301 "$url//folder" && test "$(header Location)" = /folder/
	say $? 'a folder without a slash is told of it, and of no other host'
	get 200 "$url/index/" && body_is '<p>index'
	say $? 'index.html'
	get 200 "$url/folder/" && sed -n 's/^<li>//p' body >list &&
		cmp list - <<-'END'
		<a href="../">../</a>
		<a href="50%25%20%26%20%3Cmore%3E">50% &#38; &#60;more&#62;</a>
		<a href="a%3Ab">a:b</a>
		<a href="it%27s%20%22b%22.txt">it&#39;s &#34;b&#34;.txt</a>
		<a href="with/">with/</a>
		END
	say $? 'a list: sorted, escaped, encoded'
	get 200 "$url/many/" && test "$(grep -c '^<li>' body)" = 10000 &&
		grep -q 'more entries' body && ! grep -q 'more entries' list
	say $? 'a list is cut at 10,000 entries, and says so'
	get 200 "$url/folder/"
	for name in $(sed -n 's/.*href="\([^.][^/]*\)".*/\1/p' body); do
		get 200 "$url/folder/$name"
		say $? "$name is found"
	done
}

test_ways_out()
{
	for way in /../secret/file /%2e%2e/secret/file /folder/../../secret/file \
		/.%2e/secret/file /folder/%2e%2e/%2e./secret/file /absolute \
		/outside/file /..%2fsecret%2ffile /folder/..%2f..%2fsecret/file \
		/etc/passwd //etc/passwd /%2fetc/passwd '/..\secret/file' /proc/self/root/etc/passwd; do
		get 404 "$url$way"
		say $? "404 for $way"
	done
	for way in /digits.txt%00 /%00 /%zz /%2; do
		get 400 "$url$way"
		say $? "400 for $way"
	done
	get 200 "$url/folder/../digits.txt" && get 200 "$url/./folder/with/.././../digits.txt"
	say $? 'dots that stay inside'
}

test_conditions()
{
	get 200 "$url/digits.txt"
	etag=$(header ETag)
	modified=$(header Last-Modified)
	get 304 -H "If-None-Match: $etag" "$url/digits.txt" && test "$(header ETag)" = "$etag" &&
		get 304 -H "If-None-Match: \"a\", W/$etag" "$url/digits.txt" &&
		get 304 -H 'If-None-Match: *' "$url/digits.txt" &&
		get 200 -H 'If-None-Match: "a"' "$url/digits.txt"
	say $? 'If-None-Match'
	get 304 -H "If-Modified-Since: $modified" "$url/digits.txt" &&
		get 200 -H 'If-Modified-Since: Mon, 03 Feb 2020 04:05:05 GMT' "$url/digits.txt" &&
		get 200 -H 'If-Modified-Since: soon' "$url/digits.txt" &&
		get 200 -H 'If-None-Match: "a"' -H "If-Modified-Since: $modified" "$url/digits.txt"
	say $? 'If-Modified-Since'
}

# range WANTED FIRST-LAST CONTENT-RANGE [HEADER]
range()
{
	get 206 -H "Range: bytes=$2" ${4+-H "$4"} "$url/digits.txt" && body_is "$1" &&
		test "$(header Content-Range)" = "bytes $3/10"
	say $? "bytes=$2 is $1"
}

test_ranges()
{
	range 0 0-0 0-0
	range 234 2-4 2-4
	range 56789 5- 5-9
	range 89 8-99999999999999999999 8-9
	range 789 -3 7-9
	range 0123456789 -11 0-9
	range 23 2-3 2-3 "If-Range: $etag"
	for bytes in 10- 11-12 -0 99999999999999999999-; do
		get 416 -H "Range: bytes=$bytes" "$url/digits.txt" &&
			test "$(header Content-Range)" = 'bytes */10'
		say $? "416 for bytes=$bytes"
	done
	get 416 -H 'Range: bytes=0-' "$url/empty"
	say $? 'an empty file has no range'
	for bytes in 0-1,3-4 4-3 - x 1-x '' 1 ; do
		get 200 -H "Range: bytes=$bytes" "$url/digits.txt" && body_is 0123456789
		say $? "all of it for bytes=$bytes"
	done
	get 200 -H 'Range: bytes=0-1' -H 'If-Range: "a"' "$url/digits.txt" &&
		get 200 -H 'Range: lines=0-1' "$url/digits.txt" &&
		get 200 -I -H 'Range: bytes=0-1' "$url/digits.txt"
	say $? 'a range that does not count'
	head -c 2000000 www/big | tail -c +1000001 >part
	get 206 -r 1000000-1999999 "$url/big" && cmp body part
	say $? 'a large range'
}

test_methods()
{
	for method in POST PUT DELETE OPTIONS PATCH TRACE; do
		get 405 -X $method "$url/digits.txt" && test "$(header Allow)" = 'GET, HEAD'
		say $? "405 for $method"
	done
	get 400 -X BREW "$url/digits.txt" && get 405 -d "$(printf '%05000d' 0)" "$url/" &&
		get 200 -H 'Expect: 100-continue' "$url/empty"
	say $? 'no method, 405 with a body, 100-continue'
	get 200 --http2 "$url/digits.txt" && body_is 0123456789
	say $? 'an upgrade is passed over'
	test "$(curl -s -w '%{num_connects} ' "$url/digits.txt" "$url/empty" "$url/none" \
		-o 1 -o 2 -o 3)" = '1 0 0 '
	say $? 'a connection is kept'
	test "$(curl -s -0 -w '%{num_connects} ' "$url/digits.txt" "$url/empty" -o 1 -o 2)" = '1 1 '
	say $? 'but not for HTTP/1.0'
	get 405 --data-binary @www/big "$url/"
	say $? 'who sends too much is answered all the same'
}

h='Host: x\r\n\r\n'

test_raw()
{
	have socat socat || return
	ask "GET /digits.txt HTTP/1.1\r\n${h}HEAD /big HTTP/1.1\r\n${h}GET /empty HTTP/1.1\r\n$h"
	statuses 200 200 200
	say $? 'pipelined requests are answered in order'
	ask "GET /empty HTTP/1.1\r\nContent-Length: 5\r\n${h}5\r\nGET /none HTTP/1.1\r\n$h"
	statuses 200 && grep -q '^Connection: close' raw.out
	say $? 'a body is not taken for a request'
	ask "GET /empty HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /empty HTTP/1.0\r\n\r\nGET /none HTTP/1.0\r\n\r\n"
	statuses 200 200 && grep -q '^Connection: keep-alive' raw.out
	say $? 'HTTP/1.0 is kept if it asks for it'
	ask "GET /empty HTTP/1.1\r\nConnection: close\r\n${h}GET /none HTTP/1.1\r\n$h"
	statuses 200 && grep -q '^Connection: close' raw.out
	say $? 'Connection: close'
	long=$(printf '%08192d' 0)
	ask "GET /$long HTTP/1.1\r\n$h"
	statuses 431
	say $? 'a target that is too long is 431'
	ask "GET /$(printf '%05000d' 0) HTTP/1.1\r\n$h"
	statuses 404
	say $? '... and one that is longer than paths are, 404'
	ask "GET /empty HTTP/1.1\r\n${h}GET / HTTP/1.1\r\nX: $long\r\n$h"
	statuses 200 431
	say $? 'a head that is too long is 431'
	ask "GET /empty HTTP/1.1\r\nX: $(printf '%04000d' 0)\r\nHost: x\r\n\r\nGET /empty HTTP/1.1\r\nX: $(printf '%04000d' 0)\r\nHost: x\r\n\r\nGET /empty HTTP/1.1\r\nX: $(printf '%04000d' 0)\r\nHost: x\r\n\r\n"
	statuses 200 200 200
	say $? 'heads that are split anywhere'
	for bad in 'nonsense\r\n\r\n' '\026\003\001\002\r\n\r\n' \
		"GET / HTTP/1.1\r\n\r\n" "GET / HTTP/1.1\r\nHost: y\r\n$h" \
		"GET / HTTP/1.1\r\nContent-Length: x\r\n$h" "GET / HTTP/1.1\r\nA b: c\r\n$h" \
		"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n$h" \
		"GET x HTTP/1.1\r\n$h"; do
		ask "$bad"
		statuses 400
		say $? "refused: $bad"
	done
	test_smuggling
	test_reasons
	for version in '' ' HTTP/2.0' ' HTTP/3.1'; do
		ask "GET /$version\r\n$h"
		statuses 400
		say $? "400 for GET /$version"
	done
	ask "CONNECT x:1 HTTP/1.1\r\n${h}what follows"
	statuses 405
	say $? 'CONNECT is 405, and what follows is no request'
	ask 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
	statuses 400
	say $? 'the preface of HTTP/2 is refused'
	ask ''
	test ! -s raw.out
	say $? 'silence is answered by silence'
}

# What one reader takes for one request and another for two, or for another one: refused,
# and nothing behind it is a request.
test_smuggling()
{
	next="GET /none HTTP/1.1\r\n$h"
	for bad in '\r\nHost: x\r\n\n' '\nHost: x\n\n' '\r\nHost: x\n\r\n' '\nHost: x\r\n\r\n' \
		'\r\nHost: x\r\nX: y\rZ: z\r\n\r\n' '\r\nHost: x\r\nX: y\r\n Z: z\r\n\r\n' \
		'\r\nHost: x\r\nX: y\r\n\tContent-Length: 5\r\n\r\n' \
		'\r\nHost : x\r\n\r\n' '\r\nHost\t: x\r\n\r\n' '\r\n Host: x\r\n\r\n' \
		'\r\nHost: x\r\nX: y\000z\r\n\r\n' '\r\nHost: x\r\nX\000: y\r\n\r\n' \
		'\r\nHost: x\r\nX: y\033z\r\n\r\n' \
		'\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n' \
		'\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n' \
		'\r\nHost: x\r\nContent-Length: 0, 0\r\n\r\n' \
		'\r\nHost: x\r\nContent-Length: +5\r\n\r\n' \
		'\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n' \
		'\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n' \
		'\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' \
		'\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n' \
		'\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n' \
		'\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n'; do
		ask "GET /empty HTTP/1.1$bad$next"
		statuses 400 && grep -q '^Connection: close' raw.out
		say $? "400 and a close: $bad"
	done
	for target in '/a\000b' '/a\tb' '/a\033b' '/a\177b'; do
		ask "GET $target HTTP/1.1\r\n$h$next"
		statuses 400
		say $? "400 and a close for a target: $target"
	done
	(printf 'GET / HTTP/1.1\nHost: x\n\n'; sleep 20) |
		timeout 10 socat -t 0.1 - "tcp:$address" >raw.out 2>raw.err &
	wait_for raw.out '400 Bad Request'
	say $? 'a bare LF is refused before the head has ended'
	ask "\r\nGET /digits.txt HTTP/1.1\r\n${h}\r\nHEAD /digits.txt HTTP/1.1\r\n$h"
	statuses 200 200
	say $? 'an empty line before a request is passed over'
}

# Each field of a line of the log is whole, whatever a client sends.
test_log()
{
	get 404 "$url/n%20one" && wait_for httpd.out '^127.* - - \[.* GMT\] "GET /n%20one" 404 0$'
	say $? 'the log'
	have socat socat || return
	ask "GET /a\"b\\\\c HTTP/1.1\r\n${h}GET /d\233\377 HTTP/1.1\r\n$h"
	wait_for httpd.out '"GET /a\\x22b\\x5cc" 404 0$' &&
		! grep -q "$(printf '[\200-\377]')" httpd.out
	say $? 'quotes are escaped in the log, and no byte of it moves a cursor'
	ask "GET /$(printf '%05000d' 0) HTTP/1.1\r\n$h"
	wait_for httpd.out '00\.\.\." 404 0$'
	say $? 'a target that is too long for the log is cut'
	ask 'BREW / HTTP/1.1\r\n\r\n'
	wait_for httpd.out '"-" 400 0$'
	say $? 'what is no request is "-" in the log'
}

test_reasons()
{
	ask "GET /digits.txt HTTP/1.1\r\nRange: bytes=0-1\r\n${h}GET /digits.txt HTTP/1.1\r\nRange: bytes=99-\r\n${h}GET /folder HTTP/1.1\r\n${h}GET /digits.txt HTTP/1.1\r\nIf-None-Match: *\r\n${h}PUT / HTTP/1.1\r\n${h}x\r\n\r\n"
	test "$(tr -d '\r' <raw.out | sed -n 's/^[01]*HTTP.1.1 //p')" = '206 Partial Content
416 Range Not Satisfiable
301 Moved Permanently
304 Not Modified
405 Method Not Allowed
400 Bad Request'
	say $? 'reasons are those of RFC 9110'
}

test_ending()
{
	(sleep 20 | socat -t 20 - "tcp:$address") >/dev/null 2>&1 &
	started="$started $!"
	start slow curl -s --limit-rate 2M -o slow.body "$url/big"
	slow=$pid
	wait_for httpd.out '"GET /big" 200 3000000$' && sleep 0.2
	kill -TERM "$server"
	finish "$slow" && cmp slow.body www/big
	say $? 'SIGTERM lets a transfer end'
	finish "$server"
	say $? '... and then the server, with status 0'
}

test_httpd()
{
	start_httpd "$httpd" --root www --address 127.0.0.1:0
	say $? 'listens'
	test_files
	test_folders
	test_ways_out
	test_conditions
	test_ranges
	test_methods
	test_raw
	test_log
	: >httpd.out
	test_ending
	test_asked
	test_grace
	test_slow
	test_progress
	test_stalled_log
	test_hello
}

# fds PID: how many it has open.
fds()
{
	ls "/proc/$1/fd" | wc -l
}

# asked FILE BYTES: a client that sends more when it is told to; its answers go to FILE.
asked()
{
	rm -f say
	mkfifo say
	timeout 20 socat -t 20 - "tcp:$address" <say >"$1" 2>asked.err &
	exec 8>say
	printf "$2" >&8
}

# The server is stopped while the client sends, and sees that and SIGTERM together; or
# the client connected before SIGTERM and asks after it.
test_asked()
{
	have socat socat || return
	get='GET /digits.txt HTTP/1.1\r\nHost: x\r\n\r\n'
	start_httpd "$httpd" --root www --address 127.0.0.1:0 --quiet
	asked asked.out "$get"
	wait_for asked.out ' 200 OK'
	kill -STOP "$server"
	printf "$get$get" >&8
	sleep 0.1
	kill -TERM "$server"
	kill -CONT "$server"
	finish "$server" && test "$(grep -ao '200 OK' asked.out | wc -l)" = 3
	say $? 'SIGTERM: what was asked before is answered'
	exec 8>&-
	start_httpd "$httpd" --root www --address 127.0.0.1:0 --quiet
	before=$(fds "$server")
	asked asked.out ''
	until test "$(fds "$server")" -gt "$before"; do
		sleep 0.05
	done
	kill -TERM "$server"
	sleep 0.1
	printf "$get" >&8
	finish "$server" && test "$(grep -ao '200 OK' asked.out | wc -l)" = 1 &&
		test "$(grep -ac '^Connection: close' asked.out)" = 1
	say $? '... and what a client asks that had connected before'
	exec 8>&-
}

# Neither --timeout nor --grace keeps a client that waits; the grace cuts a transfer.
test_grace()
{
	have socat socat || return
	start_httpd "$httpd" --root www --address 127.0.0.1:0 --timeout 1000 --grace 1000
	asked asked.out 'GET /empty HTTP/1.1\r\nHost: x\r\n\r\n'
	wait_for asked.out ' 200 OK'
	ended "$server"
	say $? 'SIGTERM closes a kept connection at once'
	exec 8>&-
	start_httpd "$httpd" --root www --address 127.0.0.1:0 --timeout 1000 --grace 1
	(printf 'GET /zeros HTTP/1.1\r\nHost: x\r\n\r\n'; sleep 60) |
		timeout 60 socat -u - "tcp:$address" 2>/dev/null &
	started="$started $!"
	wait_for httpd.out '"GET /zeros" 200 60000000'
	ended "$server"
	say $? 'a client that takes nothing holds up the end for --grace'
}

# taken BYTES SECONDS: so many at a time, with a pause in between, until none come.
taken()
{
	while test "$(head -c "$1" | wc -c)" -gt 0; do
		sleep "$2"
	done
}

# A client with a small window asks for 60 MB, and takes it as the arguments say.
test_progress()
{
	have socat socat || return
	start_httpd "$httpd" --root www --address 127.0.0.1:0 --timeout 2
	before=$(fds "$server")
	(printf 'GET /zeros HTTP/1.1\r\nHost: x\r\n\r\n'; sleep 60) |
		timeout 60 socat -b 4096 - "tcp:$address,rcvbuf=32768" 2>/dev/null |
		taken 6000 0.1 &
	wait_for httpd.out zeros && sleep 8
	test "$(fds "$server")" -gt "$before"
	say $? 'a client that takes 60 kB/s is served for longer than --timeout'
	start_httpd "$httpd" --root www --address 127.0.0.1:0 --timeout 2
	(printf 'GET /zeros HTTP/1.1\r\nHost: x\r\n\r\n'; sleep 60) |
		timeout 60 socat -u - "tcp:$address" 2>/dev/null &
	started="$started $!"
	wait_for httpd.out zeros
	ticks=0
	while test "$(fds "$server")" -gt "$before" && test $ticks -lt 400; do
		sleep 0.05
		ticks=$((ticks + 1))
	done
	test "$(fds "$server")" -le "$before"
	say $? 'a client that takes nothing is given up after --timeout'
	ended "$server"
	say $? '... and SIGTERM ends the server'
}

# A log that nobody reads, and one that has no room.
test_stalled_log()
{
	rm -f pipe
	mkfifo pipe
	exec 7<>pipe
	start httpd sh -c "exec '$httpd' --root www --address 127.0.0.1:0 >'$work/pipe'"
	server=$pid
	wait_for httpd.err '^listening on ' || return
	url=http://$(sed -n 's/^listening on //p' httpd.err)
	long=$(printf '%0600d' 0)
	run curl -s --fail --max-time 60 -o body "$url/empty?[1-400]$long"
	say $? '400 requests are answered with a log that nobody reads'
	timeout 1 cat <pipe >log 2>/dev/null
	get 404 "$url/later"
	timeout 1 cat <pipe >>log 2>/dev/null
	grep -q '^([0-9]* lines were dropped)$' log && grep -q '"GET /later" 404 0$' log &&
		test "$(grep -c 'GET /empty' log)" -gt 100 &&
		test "$(sed -n 's/^(\([0-9]*\) lines.*/\1/p' log)" = "$((400 - $(grep -c 'GET /empty' log)))"
	say $? '... which says how many are missing when it is read again'
	run curl -s --fail --max-time 60 -o body "$url/empty?[1-400]$long"
	ended "$server"
	say $? '... and does not keep SIGTERM from ending it'
	exec 7>&-
	start httpd sh -c "exec '$httpd' --root www --address 127.0.0.1:0 >/dev/full"
	server=$pid
	wait_for httpd.err '^listening on ' || return
	url=http://$(sed -n 's/^listening on //p' httpd.err)
	get 200 "$url/empty" && get 200 "$url/empty" && ended "$server"
	say $? 'a full disk stops neither answers nor the end'
}

test_slow()
{
	have socat socat || return
	start_httpd "$httpd" --root www --address 127.0.0.1:0 --timeout 1
	{ printf 'GET /empty HTTP/1.1\r\nHost: x\r\n\r\nGET '; sleep 3; } |
		timeout 20 socat -t 20 - "tcp:$address" >raw.out
	statuses 200 408
	say $? 'a request that does not end is 408'
	ended "$server" && test "$(wc -l <httpd.out)" = 2
	say $? 'both are logged'
	start_httpd "$httpd" --root www --address "unix:$work/http.sock" --quiet
	get 200 --unix-socket "$work/http.sock" http://x/digits.txt && body_is 0123456789 &&
		ended "$server" && test ! -s httpd.out
	say $? 'a unix socket, quiet'
}

test_hello()
{
	start_httpd "$httpd" --hello --quiet --address 127.0.0.1:0
	get 200 "$url/whatever" && body_is hello && get 200 -I "$url/" && cmp head body
	say $? 'hello'
	if have socat socat; then
		for i in 1 2 3 4 5 6 7 8 9 10; do
			printf "GET / HTTP/1.1\r\n$h"
		done >ten
		for i in 1 2 3 4 5 6 7 8 9 10; do
			cat ten ten ten ten ten ten ten ten ten ten
		done | timeout 20 socat -t 20 - "tcp:$address" >raw.out
		test "$(grep -c '^hello$' raw.out)" = 1000
		say $? 'a thousand pipelined requests'
	fi
	if have wrk wrk; then
		run wrk -t 1 -c 50 -d 1 "$url/" && grep -q 'requests in' run.out &&
			! grep -qE 'Socket errors|Non-2xx' run.out
		say $? 'wrk'
		run wrk -t 1 -c 1000 -d 1 "$url/" && test "${sanitizers:+1}" ||
			test "$(memory "$server")" -lt 25000
		say $? 'a thousand connections take no 25 MB'
	fi
	if have ab apache2-utils; then
		for keep in -k ''; do
			run ab -q $keep -n 2000 -c 20 "$url/" &&
				grep -q '^Complete requests: *2000$' run.out &&
				grep -q '^Failed requests: *0$' run.out &&
				! grep -q Non-2xx run.out
			say $? "ab $keep"
		done
	fi
	ended "$server" && test "$(wc -l <httpd.err)" = 1
	say $? 'SIGTERM ends it'
}

test_trouble()
{
	run "$httpd" --nonsense
	test $? = 2 && grep -q nonsense run.err
	say $? 'status 2 for nonsense'
	run "$httpd" --help
	test $? = 0 && grep -q '^usage: httpd' run.out && grep -q -e '--timeout' run.out &&
		test ! -s run.err
	say $? '--help'
	run "$httpd" word
	test $? = 2 && grep -q '^usage: httpd' run.err
	say $? 'status 2 for a word'
	for seconds in 0 -1 1x x '' 1000001 9223372037 99999999999999999999; do
		for option in --timeout --grace; do
			run "$httpd" $option "$seconds"
			test $? = 2
			say $? "$option '$seconds' is refused"
		done
	done
	run "$httpd" --root nowhere
	test $? = 1 && grep -q 'nowhere at .*: No such file' run.err
	say $? 'status 1 without a root'
	run "$httpd" --address nowhere
	test $? = 1 && grep -q 'at nowhere: Invalid argument' run.err
	say $? 'status 1 without an address'
}

if test ! -x "$httpd"; then
	have "$httpd" "libllhttp-dev or node-llhttp"
elif have curl curl; then
	make_files
	on_each_backend test_httpd
	test_trouble
fi
done_testing
