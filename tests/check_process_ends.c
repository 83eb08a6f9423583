/* SPDX-License-Identifier: MIT */
/*
 * The pipes of children, and the end of it all.
 */
#include "tests/processes.h"
#include <coil/stream.h>

enum {
	LARGE = 3 << 20
};

static char sent[LARGE], got[LARGE];

static void fill_sent(void)
{
	for (size_t i = 0; i < LARGE; i++)
		sent[i] = (char)(i * 2654435761u >> 13);
	memset(got, 0, sizeof(got));
}

/*
 * Communicating.
 */

COIL_TEST(what_goes_in_comes_out_however_much_it_is)
{
	struct coil_process process;
	size_t length = 0;

	fill_sent();
	sh(&process, "exec cat", &all_pipes);
	ck_assert_int_eq(coil_process_communicate(&process, sent, LARGE, got,
						  LARGE, &length),
			 0);
	ck_assert_uint_eq(length, LARGE);
	ck_assert_mem_eq(sent, got, LARGE);
	ck_assert_int_eq(process.in, -1);
	ck_assert_int_eq(process.out, -1);
	ck_assert_int_eq(process.err, -1);
	exits(&process, 0);
	done_with(&process);
}

COIL_TEST(what_does_not_fit_is_counted_and_errors_are_dropped)
{
	struct coil_process process;
	size_t length = 0;
	char few[8] = "";

	sh(&process,
	   "head -c 300000 /dev/zero >&2; echo 0123456789; head -c 200000 /dev/zero",
	   &all_pipes);
	ck_assert_int_eq(coil_process_communicate(&process, NULL, 0, few,
						  sizeof(few), &length),
			 0);
	ck_assert_uint_eq(length, 200011);
	ck_assert_mem_eq(few, "01234567", 8);
	exits(&process, 0);
	done_with(&process);
	sh(&process, "echo a; echo b", &all_pipes);
	ck_assert_int_eq(
		coil_process_communicate(&process, NULL, 0, NULL, 0, NULL), 0);
	done_with(&process);
}

COIL_TEST(a_child_that_does_not_read_is_no_error)
{
	static const char *const scripts[] = {
		"exit 3",
		"exec <&-; echo out; exit 3",
		"head -c 10 | wc -c; exit 3",
	};
	static const char *const outputs[] = { "", "out\n", "10\n" };
	struct coil_process process;
	size_t length;

	for (int i = 0; i < 3; i++) {
		fill_sent();
		sh(&process, scripts[i], &all_pipes);
		ck_assert_int_eq(coil_process_communicate(&process, sent, LARGE,
							  got, LARGE, &length),
				 0);
		got[length] = '\0';
		ck_assert_str_eq(got, outputs[i]);
		exits(&process, 3);
		done_with(&process);
	}
}

COIL_TEST(without_pipes_there_is_nothing_to_do)
{
	struct coil_process process;
	size_t length = 5;
	int err = 0;

	sh(&process, "exec sleep 100", NULL);
	ck_assert_int_eq(
		coil_process_communicate(&process, NULL, 0, NULL, 0, &length),
		0);
	ck_assert_uint_eq(length, 0);
	ck_assert_int_eq(
		coil_process_communicate(&process, "x", 1, NULL, 0, NULL),
		-EINVAL);
	ck_assert_int_eq(
		coil_process_communicate(&process, NULL, 1, NULL, 0, NULL),
		-EFAULT);
	ck_assert_int_eq(
		coil_process_communicate(&process, NULL, 0, NULL, 1, NULL),
		-EFAULT);
	COIL_TIMEOUT(0)
		err = coil_process_communicate(&process, NULL, 0, NULL, 0, NULL);
	ck_assert_int_eq(err, -ETIMEDOUT);
	done_with(&process);
}

struct talks {
	struct coil_process *process;
	int err;
	size_t length;
	char text[64];
};

static int talk(void *arg)
{
	struct talks *own = arg;

	own->err = coil_process_communicate(own->process, NULL, 0, own->text,
					    sizeof(own->text), &own->length);
	return 0;
}

COIL_TEST(a_second_one_who_communicates_is_ebusy)
{
	struct coil_process process;
	struct talks own = { .process = &process };
	struct coil_task *task;

	sh(&process, "trap 'echo bye; exit' TERM; echo hi; sleep 100 & wait",
	   &out_pipe);
	task = start(talk, &own);
	ck_assert_int_eq(coil_sleep(MS), 0);
	ck_assert_int_eq(
		coil_process_communicate(&process, NULL, 0, NULL, 0, NULL),
		-EBUSY);
	ck_assert(!coil_done(task));
	coil_cancel(task);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(own.err, -ECANCELED);
	done_with(&process);
}

/* What was read is told; the pipes are as they were, and may be used again. */
COIL_TEST(a_cancelled_one_leaves_nothing_under_way_and_may_go_on)
{
	struct coil_process process;
	size_t length = 0;
	char text[16] = "";
	int err = 0;

	sh(&process, "echo one; exec sleep 100", &all_pipes);
	COIL_TIMEOUT(50 * MS)
		err = coil_process_communicate(&process, sent, LARGE, text, 16,
					       &length);
	ck_assert_int_eq(err, -ETIMEDOUT);
	ck_assert_uint_eq(length, 4);
	ck_assert_mem_eq(text, "one\n", 4);
	ck_assert(process.in >= 0 && process.out >= 0 && process.err >= 0);
	done_with(&process);
	sh(&process, "read x; echo two", &all_pipes);
	ck_assert_int_eq(coil_write(process.in, "\n", 1), 1);
	COIL_TIMEOUT(0)
		err = coil_process_communicate(&process, NULL, 0, text, 16, &length);
	ck_assert_int_eq(err, -ETIMEDOUT);
	ck_assert_int_eq(
		coil_process_communicate(&process, NULL, 0, text, 16, &length),
		0);
	ck_assert_uint_eq(length, 4);
	ck_assert_mem_eq(text, "two\n", 4);
	done_with(&process);
}

COIL_TEST(one_that_is_closed_meanwhile_ends_those_who_wait_for_it)
{
	struct coil_process memory = {0}, other_thing, *process = &memory;
	struct talks own = { .process = process };
	struct waits other = { .process = process };
	struct coil_task *task, *waiter;

	sh(process, "exec sleep 100", &all_pipes);
	task = start(talk, &own);
	waiter = start(wait_for_it, &other);
	ck_assert_int_eq(coil_sleep(MS), 0);
	done_with(process);
	/* It may be anything now, as nobody looks at it any more. */
	memset(process, 0x55, sizeof(*process));
	memset(&other_thing, 0x55, sizeof(other_thing));
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(own.err, -ECANCELED);
	ck_assert_int_eq(coil_await(waiter), 0);
	ck_assert_int_eq(other.err, -ECANCELED);
	ck_assert_mem_eq(process, &other_thing, sizeof(*process));
}

COIL_TEST(a_pipe_that_is_closed_meanwhile_ends_it_and_not_the_child)
{
	struct coil_process process;
	struct talks own = { .process = &process };
	struct coil_task *task;

	sh(&process, "exec sleep 100", &out_pipe);
	task = start(talk, &own);
	ck_assert_int_eq(coil_sleep(MS), 0);
	ck_assert_int_eq(coil_close(process.out), 0);
	process.out = -1;
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(own.err, -ECANCELED);
	/* Nobody is at it any more. */
	ck_assert_int_eq(
		coil_process_communicate(&process, NULL, 0, NULL, 0, NULL), 0);
	ck_assert_int_eq(coil_process_kill(&process, 0), 0);
	done_with(&process);
}

COIL_TEST(proc_013_all_that_a_child_wrote_is_there_after_its_end)
{
	enum {
		SIZE = 262144,
		BLOCK = 16384
	};
	struct coil_process process;
	static char block[BLOCK];
	size_t out = 0, err = 0;
	ssize_t n = 1, m = 1;

	sh(&process,
	   "head -c 262144 /dev/zero | tr '\\0' o & "
	   "head -c 262144 /dev/zero | tr '\\0' e >&2; wait",
	   &all_pipes);
	while (n > 0 || m > 0) {
		ck_assert_int_eq(coil_sleep(MS), 0);
		n = coil_read(process.out, block, BLOCK);
		for (ssize_t i = 0; i < n; i++)
			ck_assert_int_eq(block[i], 'o');
		out += n > 0 ? (size_t)n : 0;
		m = coil_read(process.err, block, BLOCK);
		for (ssize_t i = 0; i < m; i++)
			ck_assert_int_eq(block[i], 'e');
		err += m > 0 ? (size_t)m : 0;
	}
	ck_assert_uint_eq(out, SIZE);
	ck_assert_uint_eq(err, SIZE);
	exits(&process, 0);
	done_with(&process);
}

COIL_TEST(the_last_words_stay_in_the_pipe_of_one_that_was_reaped)
{
	struct coil_process process;
	char text[64];

	sh(&process, "echo last words", &out_pipe);
	exits(&process, 0);
	ck_assert_int_eq(coil_sleep(MS), 0);
	read_text(process.out, text, sizeof(text));
	ck_assert_str_eq(text, "last words\n");
	done_with(&process);
}

/*
 * A stream over a pipe: the fd is the stream's, the process knows it no more.
 */

COIL_TEST(a_stream_reads_a_childs_output_line_by_line)
{
	struct coil_process process;
	struct coil_stream *stream;
	const char *line;
	ssize_t n;
	int lines = 0;

	sh(&process,
	   "i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done; printf end",
	   &out_pipe);
	stream = coil_stream_open(process.out);
	process.out = -1;
	ck_assert_ptr_nonnull(stream);
	while ((n = coil_stream_read_line(stream, &line)) > 0) {
		char expected[32];

		snprintf(expected, sizeof(expected),
			 lines < 1000 ? "line %d\n" : "end", lines);
		ck_assert_int_eq(n, (ssize_t)strlen(expected));
		ck_assert_mem_eq(line, expected, (size_t)n);
		lines++;
	}
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(lines, 1001);
	ck_assert_int_eq(coil_stream_close(stream), 0);
	exits(&process, 0);
	done_with(&process);
}

COIL_TEST(streams_speak_with_a_child_in_turns)
{
	struct coil_stream *in, *out;
	struct coil_process process;
	const char *line;

	sh(&process, "while read x; do echo \"<$x>\"; done; exit 4",
	   &all_pipes);
	in = coil_stream_open(process.in);
	out = coil_stream_open(process.out);
	process.in = process.out = -1;
	ck_assert(in && out);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_gt(coil_stream_printf(in, "%d\n", i), 0);
		ck_assert_int_gt(coil_stream_read_line(out, &line), 0);
		ck_assert_int_eq(strtol(line + 1, NULL, 10), i);
	}
	ck_assert_int_eq(coil_stream_close(in), 0);
	ck_assert_int_eq(coil_stream_read_line(out, &line), 0);
	exits(&process, 4);
	ck_assert_int_eq(coil_stream_close(out), 0);
	done_with(&process);
}

/*
 * Closing.
 */

static bool exists(pid_t pid)
{
	return !kill(pid, 0);
}

COIL_TEST(proc_011_closing_kills_one_that_runs_and_only_reaps_one_that_ended)
{
	struct coil_process process;
	siginfo_t info;
	pid_t pid;

	sh(&process,
	   "trap '' TERM HUP INT; echo up; sleep 100 & exec sleep 100",
	   &out_pipe);
	hears_line(process.out);
	pid = process.pid;
	done_with(&process);
	ck_assert(!exists(pid));
	sh(&process, "exit 7", NULL);
	pid = process.pid;
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	done_with(&process);
	ck_assert(!exists(pid));
}

/* With a request pending no call of it parks, and yet all is put away. */
static int spawn_and_leave(void *arg)
{
	struct coil_process process;
	int err;

	coil_cancel(coil_current_task());
	err = try_sh(&process, "exec sleep 100", &all_pipes);
	if (err)
		return err;
	*(pid_t *)arg = process.pid;
	err = coil_process_wait(&process, NULL);
	if (coil_process_close(&process))
		return -EPROTO;
	return err;
}

COIL_TEST(proc_010_a_cancelled_task_leaves_neither_orphan_nor_zombie)
{
	pid_t pid = 0;
	struct coil_task *task = start(spawn_and_leave, &pid);

	ck_assert_int_eq(coil_await(task), -ECANCELED);
	ck_assert_int_gt(pid, 0);
	ck_assert(!exists(pid));
	no_child_is_left();
}

COIL_TEST(closing_twice_is_harmless_and_at_once_is_ebusy)
{
	struct coil_process process = {0};
	struct coil_task *task;

	ck_assert_int_eq(coil_process_close(&process), 0);
	sh(&process, "exec sleep 100", NULL);
	task = start((int (*)(void *))coil_process_close, &process);
	ck_assert_int_eq(coil_yield(), 0);
	if (!coil_done(task)) {
		ck_assert_int_eq(coil_process_close(&process), -EBUSY);
		ck_assert_int_eq(coil_process_wait(&process, NULL), -ECHILD);
		coil_cancel(task);
	}
	ck_assert_int_eq(coil_await(task), 0);
	done_with(&process);
}

/* terminate, grace, kill: the pattern of the page. */
static int stop(struct coil_process *process, int64_t grace, int *status)
{
	int err = coil_process_kill_group(process, SIGTERM);

	COIL_TIMEOUT(grace)
		err = coil_process_wait(process, status);
	if (err == -ETIMEDOUT) {
		coil_process_kill_group(process, SIGKILL);
		err = coil_process_wait(process, status);
	}
	return err;
}

COIL_TEST(one_that_ignores_being_asked_is_killed_after_a_grace)
{
	const struct coil_process_options options = {
		.out = COIL_PIPE,
		.err = COIL_DEVNULL,
		.new_group = true,
	};
	struct coil_process process;
	int status = 0;

	sh(&process, "trap '' TERM; echo up; while :; do sleep 0.01; done",
	   &options);
	hears_line(process.out);
	ck_assert_int_eq(stop(&process, 20 * MS, &status), 0);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	done_with(&process);
	sh(&process,
	   "trap 'exit 5' TERM; echo up; while :; do sleep 0.01; done",
	   &options);
	hears_line(process.out);
	ck_assert_int_eq(stop(&process, 5 * COIL_SECOND, &status), 0);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 5);
	done_with(&process);
}

static void add_talks(TCase *tests)
{
	tcase_add_test(tests, what_goes_in_comes_out_however_much_it_is);
	tcase_add_test(tests,
		       what_does_not_fit_is_counted_and_errors_are_dropped);
	tcase_add_test(tests, a_child_that_does_not_read_is_no_error);
	tcase_add_test(tests, without_pipes_there_is_nothing_to_do);
	tcase_add_test(tests, a_second_one_who_communicates_is_ebusy);
	tcase_add_test(tests,
		       a_cancelled_one_leaves_nothing_under_way_and_may_go_on);
	tcase_add_test(tests,
		       one_that_is_closed_meanwhile_ends_those_who_wait_for_it);
	tcase_add_test(
		tests,
		a_pipe_that_is_closed_meanwhile_ends_it_and_not_the_child);
	tcase_add_test(tests,
		       proc_013_all_that_a_child_wrote_is_there_after_its_end);
	tcase_add_test(tests,
		       the_last_words_stay_in_the_pipe_of_one_that_was_reaped);
	tcase_add_test(tests, a_stream_reads_a_childs_output_line_by_line);
	tcase_add_test(tests, streams_speak_with_a_child_in_turns);
}

static void add_ends(TCase *tests)
{
	tcase_add_test(
		tests,
		proc_011_closing_kills_one_that_runs_and_only_reaps_one_that_ended);
	tcase_add_test(
		tests,
		proc_010_a_cancelled_task_leaves_neither_orphan_nor_zombie);
	tcase_add_test(tests, closing_twice_is_harmless_and_at_once_is_ebusy);
	tcase_add_test(tests,
		       one_that_ignores_being_asked_is_killed_after_a_grace);
}

Suite *suite(void)
{
	Suite *whole;
	TCase *talks, *ends;

	if (support_skip_on("sim", "children do not know its clock"))
		return NULL;
	whole = suite_create("process_ends");
	talks = case_of_children("talks");
	ends = case_of_children("ends");
	add_talks(talks);
	add_ends(ends);
	suite_add_tcase(whole, talks);
	suite_add_tcase(whole, ends);
	return whole;
}
