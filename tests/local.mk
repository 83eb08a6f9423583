# SPDX-License-Identifier: MIT
# One suite a module: check_NAME is check_NAME.c here, a line in the list
# and a line that says what it links.

if HAVE_CHECK

suites = \
	%D%/check_task

tests_check_task_LDADD = $(suite_libs)

# Suites that ThreadSanitizer should see: threads, wake-ups and switches.
TSAN_SUITES = %D%/check_task

# Suites that valgrind should see.
VALGRIND_SUITES = %D%/check_task

# What every suite shares: main(), the fixture and the engine of simulated time.
check_LTLIBRARIES += %D%/libsupport.la
tests_libsupport_la_SOURCES = \
	%D%/support.c \
	%D%/support.h \
	%D%/sim.c
suite_libs = %D%/libsupport.la libcoil-all.la $(CHECK_LIBS)

check_PROGRAMS += $(suites)
TESTS += $(suites)

check-tsan:
	$(MAKE) check TESTS="$(TSAN_SUITES)"

# The kernel writes what a ring reads, unseen by valgrind: not the uring engine.
check-valgrind:
	COIL_TEST_ENGINES=$${COIL_TEST_ENGINES-sim,epoll} \
	CK_TIMEOUT_MULTIPLIER=$${CK_TIMEOUT_MULTIPLIER-10} \
	$(MAKE) check TESTS="$(VALGRIND_SUITES)" LOG_COMPILER="$(VALGRIND)"

VALGRIND = valgrind --quiet --error-exitcode=1 --leak-check=full \
	--errors-for-leak-kinds=definite

endif
