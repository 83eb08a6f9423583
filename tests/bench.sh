#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The programs of bench/ do a little of their work, and print it as bench/run reads
# it: "work metric value unit".  No figure is looked at but to be a number.

. "${top_srcdir-.}/tests/programs.sh"
export BENCH_LINES=1
bench=$top_builddir/bench
ports=0

# prints WORK METRICS PROGRAM ...: those metrics, each once, and nothing else.
prints()
{
	name=$1
	metrics=$2
	shift 2
	run "$@"
	status=$?
	# Not to be had here: no O_DIRECT, no io_uring.
	test $status != 77 || return 0
	test $status = 0 && awk -v work="$name" -v metrics="$metrics" '
	BEGIN { wanted = split(metrics, list); for (i in list) is[list[i]] = 1 }
	NF != 4 || $1 != work || !($2 in is) { exit 1 }
	$3 !~ /^-?[0-9.]+(e[-+][0-9]+)?$/ { exit 1 }
	{ delete is[$2]; seen++ }
	END { exit seen != wanted }' run.out
	say $? "$name: $metrics"
}

# serves MODE PROGRAM ...: at a port that is free, loaded for a moment.
serves()
{
	mode=$1
	shift
	metrics='requests rate server_cpu p50 p90 p99 p99.9 max load_share server_share bottleneck'
	for try in 1 2 3 4 5; do
		# A port of its own: io_uring gives one back some time after a kill.
		ports=$((ports + 1))
		port=$((20000 + ($$ * 7 + ports) % 10000))
		program=$1
		shift
		start server "$program" "$port" "$@"
		server=$pid
		set -- "$program" "$@"
		ticks=0
		until "$bench/load" -n 1 -w 0 -c 1 "$port" >/dev/null 2>&1; do
			ticks=$((ticks + 1))
			alive "$server" && test $ticks -lt 100 || break
			sleep 0.05
		done
		alive "$server" && break
		finish "$server"
		test $? != 77 || return 0
	done
	prints load "$metrics" "$bench/load" -m "$mode" -c 10 -d 2 -n 200 -w 0 -p "$server" \
		"$port"
	prints load "asked $metrics" "$bench/load" -c 10 -d 2 -n 100 -w 0 -r 2000 -s 100 \
		-p "$server" "$port"
	kill -KILL "$server" && finish "$server"
}

late='cpu p50 p99 max early'
dd if=/dev/zero of=file bs=4096 count=64 2>/dev/null

test_programs()
{
	prints switch 'two thousand' "$bench/switch" 2000
	prints spawn 'one many' "$bench/spawn" 100
	prints queue 'one wide' "$bench/queue" 1000
	prints memory 'task cpu' "$bench/memory" 100
	prints timer "$late" "$bench/sleep" timer 1
	prints steady "$late" "$bench/sleep" steady 10 2
	prints channel 'item cpu' "$bench/channel" 1000
	prints wakeup 'trip cpu' "$bench/wakeup" 10
	prints files 'cpu rate per_cpu_second' "$bench/files" cached file 100
	prints timeout 'nothing yield' "$bench/brief" timeout 100
	for crowd in barrier group deadline expire sleep leave; do
		prints scale 'each stretch pass' "$bench/scale" $crowd 300
	done
	prints pread 'memfd' "$bench/brief" pread 100
	prints pread 'file' "$bench/brief" pread 100 file
	serves echo "$bench/echo"
	serves accept "$bench/echo"
	serves echo "$bench/echo_stream"
}

on_each_backend test_programs

backend='by hand'
prints jump 'jump' "$bench/floor/bare" jump
prints ring 'ring' "$bench/floor/bare" ring
prints page 'bytes cpu' "$bench/floor/bare" page 10
prints modes 'stmxcsr fnstcw' "$bench/floor/trials" modes 1000
prints clear 'rep_stos stores' "$bench/floor/trials" clear 1000
prints guards 'each sixteen' "$bench/floor/trials" guards 16
prints bundle 'each bundle vector' "$bench/floor/trials" bundle 10
prints channel 'item cpu' "$bench/floor/threads" ring 1000
prints channel 'item cpu' "$bench/floor/threads" mutex 1000
prints wakeup 'trip cpu' "$bench/floor/threads" eventfd 10
for how in uring eights pread; do
	prints files 'cpu rate per_cpu_second' "$bench/floor/files" $how cached file 100
done
for how in level edge; do
	serves echo "$bench/floor/echo_epoll" $how
done
for how in one linked multi; do
	serves echo "$bench/floor/echo_uring" $how
done

backend=harness
if python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
	run python3 "$top_srcdir/bench/run" --source="$top_srcdir" --build="$top_builddir" \
		--quick --rounds=1 --rows=jump,coil,libdill --results="$work/results" switch &&
		grep -q 'coil, static  *[0-9]' run.out &&
		grep -q 'libdill  *not present' run.out &&
		python3 -m json.tool results/switch.part.quick.json >/dev/null
	say $? 'a table, and results in JSON'
	run python3 "$top_srcdir/bench/run" --list &&
		grep -q '^growth:' run.out && grep -q '^scale:leave-1000$' run.out
	say $? '--list has the works that are not part of the whole, too'
else
	echo 'skipped: bench/run: no python3'
fi

done_testing
