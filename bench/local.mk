# SPDX-License-Identifier: MIT
# One program for a claim, made by `make bench-programs`: NAME is NAME.c here.

bench_programs = \
	%D%/memory \
	%D%/queue \
	%D%/spawn \
	%D%/switch \
	%D%/timer

check_PROGRAMS += $(bench_programs)
noinst_HEADERS += %D%/bench.h %D%/raw.h

# The raw limit of a switch is boost's own jump, from its archive.
bench_queue_LDADD = libcoil.la $(FCONTEXT_ARCHIVE)
bench_spawn_LDADD = libcoil.la $(FCONTEXT_ARCHIVE)
bench_switch_LDADD = libcoil.la $(FCONTEXT_ARCHIVE)
bench_timer_LDADD = libcoil.la $(URING_LIBS)

bench bench-programs: $(bench_programs)
