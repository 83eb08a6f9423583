#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Each public header compiles alone, as C11 and as C++17, with and without the
# compilers' extensions, and without a warning.

include=$(cd "${top_srcdir-.}" && pwd)/include
case ${CC-cc} in
*clang*) CXX=${CXX-clang++} ;;
*) CXX=${CXX-g++} ;;
esac
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
trap 'exit 99' HUP INT TERM

status=0
count=0
warnings='-Wall -Wextra -Wpedantic -Wshadow -Werror'

# try LANGUAGE SUFFIX COMPILER ...: every header, each twice.
try()
{
	language=$1
	source=$work/alone.$2
	shift 2
	for header in "$include"/coil.h "$include"/coil/*.h; do
		name=${header#"$include"/}
		printf '#include <%s>\n#include <%s>\nint alone;\n' "$name" "$name" >"$source"
		count=$((count + 1))
		# shellcheck disable=SC2086
		"$@" $warnings -I"$include" -fsyntax-only "$source" || {
			echo "not ok: $name does not compile alone as $language"
			status=1
		}
	done
}

try C11 c ${CC-cc} -std=c11
try 'C11 with extensions' c ${CC-cc} -std=gnu11
if command -v "$CXX" >/dev/null; then
	try C++17 cc "$CXX" -std=c++17
	try 'C++17 with extensions' cc "$CXX" -std=gnu++17
else
	echo "skip: there is no C++ compiler ($CXX)"
fi

# What a program calls on its way out it may call without a look at the result.
cat >"$work/leaving.c" <<'EOF'
#include <coil.h>
#include <fcntl.h>

void leave(struct coil_stream *stream, struct coil_task *task, struct coil_process *process,
	   struct coil_server *server, struct coil_group *group, struct coil_waitq *waitq, int fd);

void leave(struct coil_stream *stream, struct coil_task *task, struct coil_process *process,
	   struct coil_server *server, struct coil_group *group, struct coil_waitq *waitq, int fd)
{
	int result;

	coil_stream_printf(stream, "bye\n");
	coil_stream_flush(stream);
	coil_stream_shutdown(stream);
	coil_stream_close(stream);
	coil_cancel(task);
	coil_join(task, &result);
	coil_await(task);
	coil_group_wait(group);
	coil_process_kill(process, 15);
	coil_process_wait(process, NULL);
	coil_process_close(process);
	coil_server_close(server, 0);
	coil_waitq_park_shielded(waitq, NULL, "the others");
	coil_shutdown(fd, 2);
	coil_close(fd);
	coil_unlinkat(AT_FDCWD, "socket", 0);
	coil_sleep(1);
}
EOF
count=$((count + 1))
# shellcheck disable=SC2086
${CC-cc} -std=gnu11 $warnings -I"$include" -c -o "$work/leaving.o" "$work/leaving.c" || {
	echo 'not ok: a clean-up call demands a look at its result'
	status=1
}

# Block macros may be nested on one line.
cat >"$work/nested.c" <<'EOF'
#include <coil.h>

void nest(void);

void nest(void)
{
	COIL_TIMEOUT(2) COIL_SHIELD(1) COIL_TIMEOUT(1) coil_sleep(1);
	COIL_GROUP(outer) COIL_GROUP(inner) COIL_TIMEOUT(1) coil_group_wait(&inner);
}
EOF
cp "$work/nested.c" "$work/nested.cc"
nest()
{
	count=$((count + 1))
	# shellcheck disable=SC2086
	"$@" $warnings -I"$include" -fsyntax-only || {
		echo "not ok: $* refuses block macros on one line"
		status=1
	}
}
# shellcheck disable=SC2086
nest ${CC-cc} -std=c11 "$work/nested.c"
if command -v "$CXX" >/dev/null; then
	nest "$CXX" -std=c++17 "$work/nested.cc"
fi
echo "$count compilations"
test $count -gt 20 || status=1
exit $status
