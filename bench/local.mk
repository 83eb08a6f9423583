# SPDX-License-Identifier: MIT
# One program for a claim, made by `make bench-programs`: NAME is NAME.c here, and
# the floors are in floor/.  What the peers need is built by bench/run, if it is there.

bench_programs = \
	%D%/brief \
	%D%/channel \
	%D%/echo \
	%D%/echo_stream \
	%D%/files \
	%D%/idle \
	%D%/load \
	%D%/memory \
	%D%/queue \
	%D%/pipeline \
	%D%/receive \
	%D%/scale \
	%D%/sleep \
	%D%/spawn \
	%D%/switch \
	%D%/switch_static \
	%D%/timer \
	%D%/wakeup \
	%D%/floor/bare \
	%D%/floor/echo_epoll \
	%D%/floor/echo_uring \
	%D%/floor/files \
	%D%/floor/http_epoll \
	%D%/floor/threads \
	%D%/floor/trials

check_PROGRAMS += $(bench_programs)
noinst_HEADERS += %D%/bench.h %D%/load.h %D%/raw.h %D%/reads.h \
	%D%/resident.h %D%/sleeps.h %D%/wakeup.h %D%/floor/echo.h \
	%D%/floor/listen.h

# The raw limit of a switch is boost's own jump, from its archive.
bench_queue_LDADD = libcoil.la $(FCONTEXT_ARCHIVE)
bench_spawn_LDADD = libcoil.la $(FCONTEXT_ARCHIVE)
bench_switch_LDADD = libcoil.la $(FCONTEXT_ARCHIVE)
bench_timer_LDADD = libcoil.la $(URING_LIBS)

bench_switch_static_SOURCES = %D%/switch.c
bench_switch_static_LDFLAGS = -static
bench_switch_static_LDADD = libcoil.la $(FCONTEXT_ARCHIVE)

# Not over coil: the load is neutral, the floors are by hand.
bench_load_SOURCES = %D%/load.c %D%/load_work.c
bench_load_LDADD = -lm
bench_floor_bare_LDADD = $(FCONTEXT_ARCHIVE)
bench_floor_echo_epoll_LDADD =
bench_floor_echo_uring_LDADD = $(URING_LIBS)
bench_receive_LDADD = $(URING_LIBS)
bench_floor_files_LDADD = $(URING_LIBS)
bench_floor_http_epoll_LDADD =
bench_floor_threads_LDADD =
bench_floor_trials_LDADD = $(URING_LIBS)

# make bench [BENCH="WORK ..."] [ROUNDS=5] [QUICK=1] [ROWS=name,...] [RESULTS=folder]
BENCH =
ROUNDS = 5
QUICK =
ROWS =
RESULTS = $(abs_top_builddir)/%D%/results
PYTHON3 = $$(test -x /usr/bin/python3 && echo /usr/bin/python3 || echo python3)

bench-programs: $(bench_programs)
bench: $(bench_programs) $(noinst_PROGRAMS)
	@CC='$(CC)' BENCH_CFLAGS='$(CFLAGS) $(CODE_CFLAGS)' BENCH_VERSION='$(PACKAGE_VERSION)' \
		$(PYTHON3) $(srcdir)/%D%/run --source='$(srcdir)' --build=. \
		--results='$(RESULTS)' --rounds='$(ROUNDS)' --rows='$(ROWS)' \
		$$(test -z '$(QUICK)' || echo --quick) $(BENCH)

# The peers' programs, and the files that are read.
clean-local:
	rm -rf %D%/bin

EXTRA_DIST += \
	%D%/README.md \
	%D%/run \
	%D%/harness/files.py \
	%D%/harness/measure.py \
	%D%/harness/peers.py \
	%D%/harness/plot.py \
	%D%/harness/report.py \
	%D%/harness/works.py \
	%D%/peers/asio.cc \
	%D%/peers/boost.cc \
	%D%/peers/ev.c \
	%D%/peers/ev_echo.c \
	%D%/peers/event.c \
	%D%/peers/event_echo.c \
	%D%/peers/files.go \
	%D%/peers/loops.py \
	%D%/peers/net.go \
	%D%/peers/nginx.conf \
	%D%/peers/st.c \
	%D%/peers/st_echo.c \
	%D%/peers/tasks.go \
	%D%/peers/tokio.rs \
	%D%/peers/uv.c \
	%D%/peers/uv_echo.c \
	%D%/peers/uv_files.c
