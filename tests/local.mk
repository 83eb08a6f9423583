# SPDX-License-Identifier: MIT
# One suite a module: check_NAME is check_NAME.c here, a line in the list and two
# that say what it links and whose calls are wrapped (see support.c).

if HAVE_CHECK

suites = \
	%D%/check_abi \
	%D%/check_address \
	%D%/check_barrier \
	%D%/check_budget \
	%D%/check_cancel \
	%D%/check_channel \
	%D%/check_channel_storm \
	%D%/check_close \
	%D%/check_completed \
	%D%/check_condition \
	%D%/check_datagram \
	%D%/check_dial \
	%D%/check_dry \
	%D%/check_due \
	%D%/check_ending \
	%D%/check_epoll \
	%D%/check_event \
	%D%/check_fallback \
	%D%/check_file \
	%D%/check_fork \
	%D%/check_full \
	%D%/check_future \
	%D%/check_gather \
	%D%/check_given_up \
	%D%/check_group \
	%D%/check_half_closed \
	%D%/check_limits \
	%D%/check_listen \
	%D%/check_lock \
	%D%/check_mass_cancel \
	%D%/check_lookup \
	%D%/check_name \
	%D%/check_null \
	%D%/check_odd \
	%D%/check_one_fd \
	%D%/check_oom \
	%D%/check_overlap \
	%D%/check_syscall \
	%D%/check_syscall_files \
	%D%/check_poll \
	%D%/check_pool \
	%D%/check_position \
	%D%/check_process \
	%D%/check_process_ends \
	%D%/check_process_options \
	%D%/check_process_storm \
	%D%/check_queue \
	%D%/check_queue_storm \
	%D%/check_ring \
	%D%/check_run \
	%D%/check_rwlock \
	%D%/check_scope \
	%D%/check_select \
	%D%/check_select_storm \
	%D%/check_semaphore \
	%D%/check_sendfile \
	%D%/check_server \
	%D%/check_server_close \
	%D%/check_server_many \
	%D%/check_server_options \
	%D%/check_server_storm \
	%D%/check_server_trouble \
	%D%/check_server_workers \
	%D%/check_shared_event \
	%D%/check_shield \
	%D%/check_signal \
	%D%/check_sim \
	%D%/check_slices \
	%D%/check_socket \
	%D%/check_socket_storm \
	%D%/check_stack \
	%D%/check_stop \
	%D%/check_storm \
	%D%/check_stream \
	%D%/check_stream_close \
	%D%/check_stream_gather \
	%D%/check_stream_peek \
	%D%/check_stream_sweep \
	%D%/check_stream_write \
	%D%/check_sweep \
	%D%/check_sweep_connect \
	%D%/check_sweep_io \
	%D%/check_sweep_select \
	%D%/check_sweep_sync \
	%D%/check_sweep_threads \
	%D%/check_switch \
	%D%/check_task \
	%D%/check_thread \
	%D%/check_threadsafe \
	%D%/check_time \
	%D%/check_timeout \
	%D%/check_timeout_brief \
	%D%/check_timers \
	%D%/check_unix \
	%D%/check_var \
	%D%/check_visit \
	%D%/check_wait \
	%D%/check_waitq \
	%D%/check_workers

tests_check_abi_LDADD = $(suite_libs)
tests_check_abi_LDFLAGS = $(suite_ldflags)
tests_check_address_LDADD = $(suite_libs)
tests_check_address_LDFLAGS = $(suite_ldflags)
tests_check_barrier_LDADD = $(suite_libs)
tests_check_barrier_LDFLAGS = $(suite_ldflags)
tests_check_budget_LDADD = $(suite_libs)
tests_check_budget_LDFLAGS = $(suite_ldflags)
tests_check_cancel_LDADD = $(suite_libs)
tests_check_cancel_LDFLAGS = $(suite_ldflags)
tests_check_channel_LDADD = $(suite_libs)
tests_check_channel_LDFLAGS = $(suite_ldflags)
tests_check_channel_storm_LDADD = $(suite_libs)
tests_check_channel_storm_LDFLAGS = $(suite_ldflags)
tests_check_close_LDADD = $(suite_libs)
tests_check_close_LDFLAGS = $(suite_ldflags) -Wl,--wrap=close
tests_check_completed_LDADD = $(suite_libs)
tests_check_completed_LDFLAGS = $(suite_ldflags)
tests_check_condition_LDADD = $(suite_libs)
tests_check_condition_LDFLAGS = $(suite_ldflags)
tests_check_datagram_LDADD = $(suite_libs)
tests_check_datagram_LDFLAGS = $(suite_ldflags) -Wl,--wrap=getsockopt
tests_check_dial_LDADD = $(suite_libs)
tests_check_dial_LDFLAGS = $(suite_ldflags)
tests_check_due_LDADD = $(suite_libs)
tests_check_due_LDFLAGS = $(suite_ldflags)
tests_check_ending_LDADD = $(suite_libs)
tests_check_ending_LDFLAGS = $(suite_ldflags)
tests_check_dry_LDADD = $(suite_libs)
tests_check_dry_LDFLAGS = $(suite_ldflags) -Wl,--wrap=recv
tests_check_epoll_LDADD = $(suite_libs)
tests_check_epoll_LDFLAGS = $(suite_ldflags)
tests_check_event_LDADD = $(suite_libs)
tests_check_event_LDFLAGS = $(suite_ldflags)
tests_check_fallback_LDADD = $(suite_libs)
tests_check_fallback_LDFLAGS = $(suite_ldflags) \
	-Wl,--wrap=io_uring_get_probe_ring \
	-Wl,--wrap=io_uring_queue_init_params \
	-Wl,--wrap=io_uring_submit_and_wait \
	-Wl,--wrap=syscall
tests_check_file_LDADD = $(suite_libs)
tests_check_file_LDFLAGS = $(suite_ldflags)
tests_check_fork_LDADD = $(suite_libs)
tests_check_fork_LDFLAGS = $(suite_ldflags)
tests_check_full_LDADD = $(suite_libs)
tests_check_full_LDFLAGS = $(suite_ldflags)
tests_check_future_LDADD = $(suite_libs)
tests_check_future_LDFLAGS = $(suite_ldflags)
tests_check_gather_LDADD = $(suite_libs)
tests_check_gather_LDFLAGS = $(suite_ldflags)
tests_check_given_up_LDADD = $(suite_libs)
tests_check_given_up_LDFLAGS = $(suite_ldflags)
tests_check_group_LDADD = $(suite_libs)
tests_check_group_LDFLAGS = $(suite_ldflags)
tests_check_half_closed_LDADD = $(suite_libs)
tests_check_half_closed_LDFLAGS = $(suite_ldflags)
tests_check_limits_LDADD = $(suite_libs)
tests_check_limits_LDFLAGS = $(suite_ldflags) \
	-Wl,--wrap=io_uring_queue_init_params
tests_check_listen_LDADD = $(suite_libs)
tests_check_listen_LDFLAGS = $(suite_ldflags)
tests_check_lock_LDADD = $(suite_libs)
tests_check_lock_LDFLAGS = $(suite_ldflags)
tests_check_mass_cancel_LDADD = $(suite_libs)
tests_check_mass_cancel_LDFLAGS = $(suite_ldflags) \
	-Wl,--wrap=io_uring_submit_and_wait
tests_check_lookup_LDADD = $(suite_libs)
tests_check_lookup_LDFLAGS = $(suite_ldflags)
tests_check_name_LDADD = $(suite_libs)
tests_check_name_LDFLAGS = $(suite_ldflags)
tests_check_null_LDADD = $(suite_libs)
tests_check_null_LDFLAGS = $(suite_ldflags)
tests_check_odd_LDADD = $(suite_libs)
tests_check_odd_LDFLAGS = $(suite_ldflags) -Wl,--wrap=poll
tests_check_one_fd_LDADD = $(suite_libs)
tests_check_one_fd_LDFLAGS = $(suite_ldflags)
tests_check_oom_LDADD = $(suite_libs)
tests_check_oom_LDFLAGS = $(suite_ldflags)
tests_check_overlap_LDADD = $(suite_libs)
tests_check_overlap_LDFLAGS = $(suite_ldflags)
tests_check_syscall_LDADD = $(suite_libs)
tests_check_syscall_LDFLAGS = $(suite_ldflags)
tests_check_syscall_files_LDADD = $(suite_libs)
tests_check_syscall_files_LDFLAGS = $(suite_ldflags)
tests_check_poll_LDADD = $(suite_libs)
tests_check_poll_LDFLAGS = $(suite_ldflags)
tests_check_pool_LDADD = $(suite_libs)
tests_check_pool_LDFLAGS = $(suite_ldflags)
tests_check_position_LDADD = $(suite_libs)
tests_check_position_LDFLAGS = $(suite_ldflags) -Wl,--wrap=write \
	-Wl,--wrap=statx -Wl,--wrap=sync_file_range
tests_check_process_LDADD = $(suite_libs)
tests_check_process_LDFLAGS = $(suite_ldflags)
tests_check_process_ends_LDADD = $(suite_libs)
tests_check_process_ends_LDFLAGS = $(suite_ldflags)
tests_check_process_options_LDADD = $(suite_libs)
tests_check_process_options_LDFLAGS = $(suite_ldflags)
tests_check_process_storm_LDADD = $(suite_libs)
tests_check_process_storm_LDFLAGS = $(suite_ldflags)
tests_check_queue_LDADD = $(suite_libs)
tests_check_queue_LDFLAGS = $(suite_ldflags)
tests_check_queue_storm_LDADD = $(suite_libs)
tests_check_queue_storm_LDFLAGS = $(suite_ldflags)
tests_check_ring_LDADD = $(suite_libs)
tests_check_ring_LDFLAGS = $(suite_ldflags)
tests_check_run_LDADD = $(suite_libs)
tests_check_run_LDFLAGS = $(suite_ldflags)
tests_check_rwlock_LDADD = $(suite_libs)
tests_check_rwlock_LDFLAGS = $(suite_ldflags)
tests_check_scope_LDADD = $(suite_libs)
tests_check_scope_LDFLAGS = $(suite_ldflags)
tests_check_select_LDADD = $(suite_libs)
tests_check_select_LDFLAGS = $(suite_ldflags)
tests_check_select_storm_LDADD = $(suite_libs)
tests_check_select_storm_LDFLAGS = $(suite_ldflags)
tests_check_semaphore_LDADD = $(suite_libs)
tests_check_semaphore_LDFLAGS = $(suite_ldflags)
tests_check_sendfile_LDADD = $(suite_libs)
tests_check_sendfile_LDFLAGS = $(suite_ldflags) -Wl,--wrap=preadv2
tests_check_server_LDADD = $(suite_libs)
tests_check_server_LDFLAGS = $(suite_ldflags)
tests_check_server_close_LDADD = $(suite_libs)
tests_check_server_close_LDFLAGS = $(suite_ldflags)
tests_check_server_many_LDADD = $(suite_libs)
tests_check_server_many_LDFLAGS = $(suite_ldflags)
tests_check_server_options_LDADD = $(suite_libs)
tests_check_server_options_LDFLAGS = $(suite_ldflags)
tests_check_server_storm_LDADD = $(suite_libs)
tests_check_server_storm_LDFLAGS = $(suite_ldflags)
tests_check_server_trouble_LDADD = $(suite_libs)
tests_check_server_trouble_LDFLAGS = $(suite_ldflags)
tests_check_server_workers_LDADD = $(suite_libs)
tests_check_server_workers_LDFLAGS = $(suite_ldflags)
tests_check_shared_event_LDADD = $(suite_libs)
tests_check_shared_event_LDFLAGS = $(suite_ldflags)
tests_check_shield_LDADD = $(suite_libs)
tests_check_shield_LDFLAGS = $(suite_ldflags)
tests_check_signal_LDADD = $(suite_libs)
tests_check_signal_LDFLAGS = $(suite_ldflags)
tests_check_sim_LDADD = $(suite_libs)
tests_check_sim_LDFLAGS = $(suite_ldflags)
tests_check_slices_LDADD = $(suite_libs)
tests_check_slices_LDFLAGS = $(suite_ldflags) -Wl,--wrap=coil__stacks_each
tests_check_socket_LDADD = $(suite_libs)
tests_check_socket_LDFLAGS = $(suite_ldflags)
tests_check_socket_storm_LDADD = $(suite_libs)
tests_check_socket_storm_LDFLAGS = $(suite_ldflags)
tests_check_stack_LDADD = $(suite_libs)
tests_check_stack_LDFLAGS = $(suite_ldflags) -Wl,--wrap=madvise
tests_check_stop_LDADD = $(suite_libs)
tests_check_stop_LDFLAGS = $(suite_ldflags)
tests_check_storm_LDADD = $(suite_libs)
tests_check_storm_LDFLAGS = $(suite_ldflags)
tests_check_sweep_LDADD = $(suite_libs)
tests_check_sweep_LDFLAGS = $(suite_ldflags)
tests_check_sweep_connect_LDADD = $(suite_libs)
tests_check_sweep_connect_LDFLAGS = $(suite_ldflags)
tests_check_sweep_io_LDADD = $(suite_libs)
tests_check_sweep_io_LDFLAGS = $(suite_ldflags)
tests_check_sweep_select_LDADD = $(suite_libs)
tests_check_sweep_select_LDFLAGS = $(suite_ldflags)
tests_check_sweep_sync_LDADD = $(suite_libs)
tests_check_sweep_sync_LDFLAGS = $(suite_ldflags)
tests_check_sweep_threads_LDADD = $(suite_libs)
tests_check_sweep_threads_LDFLAGS = $(suite_ldflags)
tests_check_stream_LDADD = $(suite_libs)
tests_check_stream_LDFLAGS = $(suite_ldflags)
tests_check_stream_close_LDADD = $(suite_libs)
tests_check_stream_close_LDFLAGS = $(suite_ldflags)
tests_check_stream_gather_LDADD = $(suite_libs)
tests_check_stream_gather_LDFLAGS = $(suite_ldflags)
tests_check_stream_peek_LDADD = $(suite_libs)
tests_check_stream_peek_LDFLAGS = $(suite_ldflags)
tests_check_stream_sweep_LDADD = $(suite_libs)
tests_check_stream_sweep_LDFLAGS = $(suite_ldflags)
tests_check_stream_write_LDADD = $(suite_libs)
tests_check_stream_write_LDFLAGS = $(suite_ldflags)
tests_check_switch_LDADD = $(suite_libs)
tests_check_switch_LDFLAGS = $(suite_ldflags)
tests_check_task_LDADD = $(suite_libs)
tests_check_task_LDFLAGS = $(suite_ldflags)
tests_check_thread_LDADD = $(suite_libs)
tests_check_thread_LDFLAGS = $(suite_ldflags)
tests_check_threadsafe_LDADD = $(suite_libs)
tests_check_threadsafe_LDFLAGS = $(suite_ldflags)
tests_check_time_LDADD = $(suite_libs)
tests_check_time_LDFLAGS = $(suite_ldflags)
tests_check_timeout_LDADD = $(suite_libs)
tests_check_timeout_LDFLAGS = $(suite_ldflags)
tests_check_timeout_brief_LDADD = $(suite_libs)
tests_check_timeout_brief_LDFLAGS = $(suite_ldflags)
tests_check_timers_LDADD = $(suite_libs)
tests_check_timers_LDFLAGS = $(suite_ldflags)
tests_check_unix_LDADD = $(suite_libs)
tests_check_unix_LDFLAGS = $(suite_ldflags)
tests_check_var_LDADD = $(suite_libs)
tests_check_var_LDFLAGS = $(suite_ldflags)
tests_check_visit_LDADD = $(suite_libs)
tests_check_visit_LDFLAGS = $(suite_ldflags)
tests_check_wait_LDADD = $(suite_libs)
tests_check_wait_LDFLAGS = $(suite_ldflags)
tests_check_waitq_LDADD = $(suite_libs)
tests_check_waitq_LDFLAGS = $(suite_ldflags)
tests_check_workers_LDADD = $(suite_libs)
tests_check_workers_LDFLAGS = $(suite_ldflags) -Wl,--wrap=sched_getaffinity

# Suites that ThreadSanitizer should see: threads, wake-ups and switches.
# Not check_process_storm: until execve(2) a child shares our memory, and TSan takes
# what both do for a race.
TSAN_SUITES = \
	%D%/check_address \
	%D%/check_barrier \
	%D%/check_channel \
	%D%/check_channel_storm \
	%D%/check_close \
	%D%/check_condition \
	%D%/check_dial \
	%D%/check_due \
	%D%/check_ending \
	%D%/check_event \
	%D%/check_file \
	%D%/check_lock \
	%D%/check_lookup \
	%D%/check_pool \
	%D%/check_queue \
	%D%/check_run \
	%D%/check_rwlock \
	%D%/check_select \
	%D%/check_select_storm \
	%D%/check_semaphore \
	%D%/check_server_workers \
	%D%/check_shared_event \
	%D%/check_signal \
	%D%/check_sweep_threads \
	%D%/check_task \
	%D%/check_thread \
	%D%/check_threadsafe \
	%D%/check_var \
	%D%/check_visit \
	%D%/check_waitq \
	%D%/check_workers

# Suites that valgrind should see.
VALGRIND_SUITES = \
	%D%/check_cancel \
	%D%/check_datagram \
	%D%/check_event \
	%D%/check_file \
	%D%/check_future \
	%D%/check_gather \
	%D%/check_given_up \
	%D%/check_group \
	%D%/check_half_closed \
	%D%/check_lock \
	%D%/check_mass_cancel \
	%D%/check_name \
	%D%/check_queue \
	%D%/check_server \
	%D%/check_server_close \
	%D%/check_shield \
	%D%/check_socket \
	%D%/check_task \
	%D%/check_time \
	%D%/check_timeout \
	%D%/check_timeout_brief \
	%D%/check_timers \
	%D%/check_unix \
	%D%/check_wait \
	%D%/check_waitq

# What every suite shares: main(), the fixture and the backend of simulated time.
check_LTLIBRARIES += %D%/libsupport.la
tests_libsupport_la_SOURCES = \
	%D%/events.h \
	%D%/everything.h \
	%D%/filters.h \
	%D%/ops.h \
	%D%/paths.h \
	%D%/processes.h \
	%D%/queues.h \
	%D%/resolver.h \
	%D%/selects.h \
	%D%/servers.h \
	%D%/sockets.h \
	%D%/streams.h \
	%D%/support.h \
	%D%/sweep.h \
	%D%/sync.h \
	%D%/tasks.h \
	%D%/threads.h \
	%D%/support.c \
	%D%/sim.c

suite_ldflags = $(AM_LDFLAGS) \
	-Wl,--wrap=_mark_point \
	-Wl,--wrap=aligned_alloc \
	-Wl,--wrap=calloc \
	-Wl,--wrap=coil__op_complete \
	-Wl,--wrap=coil__ready \
	-Wl,--wrap=coil__uring_set_up \
	-Wl,--wrap=epoll_ctl \
	-Wl,--wrap=free \
	-Wl,--wrap=malloc \
	-Wl,--wrap=mmap \
	-Wl,--wrap=munmap \
	-Wl,--wrap=pthread_create \
	-Wl,--wrap=realloc \
	-Wl,--wrap=reallocarray \
	-Wl,--wrap=strdup \
	-Wl,--wrap=strndup \
	-Wl,--wrap=tcase_create

suite_libs = %D%/libsupport.la libcoil-all.la $(CHECK_LIBS) $(URING_LIBS)

check_PROGRAMS += $(suites)
TESTS += $(suites)

# Reads what the suites' logs say of each test, so it comes after them.  By its own
# name the target would take the place of automake's.
TESTS += %D%/conformance.sh
conformance_log = %D%/conformance.sh.log
$(conformance_log): $(suites:=.log)

# Instructions are counted without the wraps that only make memory run out.
check_PROGRAMS += %D%/count
tests_count_LDADD = $(suite_libs)
tests_count_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=coil__op_complete -Wl,--wrap=coil__ready
TESTS += %D%/instructions.sh

check-tsan:
	$(MAKE) check TESTS="$(TSAN_SUITES)"

# The kernel writes what a ring reads, unseen by valgrind: not the uring backend.
check-valgrind:
	COIL_TEST_BACKENDS=$${COIL_TEST_BACKENDS-sim,epoll} \
	CK_TIMEOUT_MULTIPLIER=$${CK_TIMEOUT_MULTIPLIER-10} \
	$(MAKE) check TESTS="$(VALGRIND_SUITES)" LOG_COMPILER="$(VALGRIND)"

VALGRIND = valgrind --quiet --error-exitcode=1 --leak-check=full \
	--errors-for-leak-kinds=definite

endif

# The programs of examples/ and the README's first one, as a user runs them.
check_PROGRAMS += %D%/send_raw
TESTS += %D%/examples.sh %D%/examples_logmux.sh

# The page and its programs say the same.
TESTS += %D%/tutorial.sh
EXTRA_DIST += %D%/tutorial.sh

# The programs of bench/ do a little and print what bench/run reads; nothing is timed.
TESTS += %D%/bench.sh %D%/layers.sh
EXTRA_DIST += %D%/bench.sh %D%/layers.sh

# Those that serve, each with the clients that people have for it.
check_PROGRAMS += %D%/echo_clients
server_examples = \
	%D%/examples_chat.sh \
	%D%/examples_echo.sh \
	%D%/examples_httpd.sh \
	%D%/examples_proxy.sh \
	%D%/examples_stalled.sh
TESTS += $(server_examples)
EXTRA_DIST += %D%/programs.sh $(server_examples)

EXTRA_DIST += %D%/conformance.sh %D%/conformance.tsv
EXTRA_DIST += %D%/instructions.sh %D%/instructions.tsv
EXTRA_DIST += %D%/examples_logmux.sh
EXTRA_DIST += %D%/examples.sh \
	%D%/expected/event.txt \
	%D%/expected/gather.txt \
	%D%/expected/queue.txt \
	%D%/expected/run.txt \
	%D%/expected/wait.txt

# What a C++ program needs of us, and each public header by itself.
TESTS += %D%/cxx.sh %D%/exports.sh %D%/headers.sh %D%/plugin.sh
EXTRA_DIST += %D%/cxx.cc %D%/cxx.sh %D%/exports.sh %D%/headers.sh %D%/plugin.sh
EXTRA_DIST += %D%/plugin.cc %D%/plugin_host.c %D%/plugin_unload.c
