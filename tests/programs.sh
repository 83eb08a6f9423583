# SPDX-License-Identifier: MIT
#
# What the tests of examples/ share: sourced by them, in a folder of their own.
# Every wait is bounded, and what is killed is what was started here.

export LC_ALL=C
top_builddir=$(cd "${top_builddir-.}" && pwd)
top_srcdir=$(cd "${top_srcdir-.}" && pwd)
examples=$top_builddir/examples

work=$(mktemp -d) || exit 99
started=
passed=0
failed=0

clean_up()
{
	for pid in $started; do
		alive "$pid" && kill -KILL "$pid"
	done 2>/dev/null
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 99' HUP INT TERM
cd "$work" || exit 99

# A child that nobody has waited for yet is not alive.
alive()
{
	grep -q '^State:[[:space:]]*[A-WYa-z]' "/proc/$1/status" 2>/dev/null
}

say()
{
	if test "$1" = 0; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok: $backend: $2"
		tail -n 5 $shown
	fi
}

# start NAME COMMAND ...: behind us, with NAME.out and NAME.err; its pid is $pid.
start()
{
	files=$1
	shift
	case $shown in
	*" $files.out"*) ;;
	*) shown="$shown $files.out $files.err" ;;
	esac
	: >"$files.out" 2>"$files.err"
	"$@" >"$files.out" 2>"$files.err" </dev/null &
	pid=$!
	started="$started $pid"
}

# finish PID: its status, 124 if it had to be killed after 30 s.
finish()
{
	ticks=0
	while alive "$1" && test $ticks -lt 600; do
		sleep 0.05
		ticks=$((ticks + 1))
	done
	late=
	if alive "$1"; then
		late=124
		kill -KILL "$1"
	fi
	wait "$1" 2>/dev/null
	set -- $?
	return "${late:-$1}"
}

# run COMMAND ...: to its end, with run.out and run.err.
run()
{
	start run "$@"
	finish "$pid"
}

# wait_for FILE PATTERN: until it is there, 10 s at most.
wait_for()
{
	ticks=0
	until grep -q "$2" "$1" 2>/dev/null; do
		test $ticks -lt 200 || return 1
		sleep 0.05
		ticks=$((ticks + 1))
	done
}

# on_each_backend FUNCTION: once with each backend that there is.
on_each_backend()
{
	backends=
	for backend in uring epoll; do
		export COIL_BACKEND=$backend
		shown=
		if run "$examples/producer_consumer" --items 1; then
			backends="$backends $backend"
			"$1"
		else
			echo "skipped: $backend: $(cat run.err)"
		fi
	done
	test -n "$backends" || failed=$((failed + 1))
}

# have CLIENT PACKAGE: a real client, without which a test is skipped, unless
# COIL_CLIENTS=required says that it has to be there.
have()
{
	command -v "$1" >/dev/null && return
	if test "${COIL_CLIENTS-}" = required; then
		failed=$((failed + 1))
		echo "not ok: no $1: install the Debian package $2"
	else
		echo "skipped: no $1: it is in the Debian package $2"
	fi
	return 1
}

# serve NAME COMMAND ...: start it; $address is where it says that it listens.
serve()
{
	start "$@"
	server=$pid
	wait_for "$1.out" '^listening on ' || return
	address=$(sed -n 's/^listening on //p' "$1.out" | tail -n 1)
}

# ended PID: by SIGTERM, in good order.
ended()
{
	kill -TERM "$1" && finish "$1"
}

# memory PID: the most it ever had, in kB.
memory()
{
	sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status"
}

sanitizers=$(sed -n 's/^SANITIZER_CFLAGS = *//p' "$top_builddir/Makefile")
shown=

# done_testing: the status of the whole.  A test in which nothing ran is a skip.
done_testing()
{
	echo "$passed passed, $failed failed"
	test $((passed + failed)) != 0 || exit 77
	test $failed = 0
}
