/* SPDX-License-Identifier: MIT */
#include "tests/selects.h"
#include "core/loop/loop.h"
#include <coil/signal.h>
#include <pthread.h>

static int wait_signal(void *set)
{
	return coil_signal_wait(set, NULL);
}

/*
 * What is ready is done at once.
 */

COIL_TEST(a_get_that_can_be_is_done_at_once)
{
	struct coil_queue queue;
	int item = 0;
	struct coil_case cases[] = { COIL_SELECT_GET(&queue, &item) };

	make(&queue, FIFO, 2);
	ck_assert_int_eq(put(&queue, 7), 0);
	cases[0].result = 99;
	ck_assert_int_eq(coil_select(cases, 1, 0), 0);
	ck_assert_int_eq(cases[0].result, 0);
	ck_assert_int_eq(item, 7);
	ck_assert(coil_queue_empty(&queue));
	coil_queue_fini(&queue);
}

COIL_TEST(a_put_that_can_be_is_done_at_once)
{
	struct coil_queue queue;
	const int item = 8;
	struct coil_case cases[] = { COIL_SELECT_PUT(&queue, &item) };

	make(&queue, FIFO, 1);
	ck_assert_int_eq(coil_select(cases, 1, 0), 0);
	ck_assert_int_eq(cases[0].result, 0);
	ck_assert_int_eq(coil_select(cases, 1, 0), -ETIMEDOUT);
	ck_assert_int_eq(get(&queue), 8);
	coil_queue_fini(&queue);
}

COIL_TEST(an_event_that_is_set_is_ready_and_stays_set)
{
	struct coil_event plain = {0}, shared = {0};
	struct coil_case cases[] = { COIL_SELECT_EVENT(&plain) };

	ck_assert_int_eq(coil_event_open(&shared), 0);
	for (int i = 0; i < 2; i++) {
		cases[0].event = i ? &shared : &plain;
		ck_assert_int_eq(coil_select(cases, 1, 0), -ETIMEDOUT);
		ck_assert_int_eq(coil_event_set(cases[0].event), 0);
		ck_assert_int_eq(coil_select(cases, 1, 0), 0);
		ck_assert_int_eq(coil_select(cases, 1, COIL_FOREVER), 0);
		ck_assert_int_eq(cases[0].result, 0);
		ck_assert(coil_event_is_set(cases[0].event));
	}
	ck_assert_int_eq(coil_event_close(&shared), 0);
}

COIL_TEST(a_task_that_has_ended_is_ready_and_its_handle_stays)
{
	struct coil_task *task = start(give, INT(-EIO));
	struct coil_case cases[] = { COIL_SELECT_TASK(task) };

	settle();
	for (int i = 0; i < 3; i++) {
		cases[0].result = 1;
		ck_assert_int_eq(coil_select(cases, 1, 0), 0);
		ck_assert_int_eq(cases[0].result, -EIO);
	}
	ck_assert_int_eq(coil_await(task), -EIO);
}

COIL_TEST(a_queue_that_is_shut_is_ready_and_says_so)
{
	struct coil_queue queue;
	int in = 5, out = 0;
	struct coil_case cases[] = {
		COIL_SELECT_GET(&queue, &out), COIL_SELECT_PUT(&queue, &in),
	};

	make(&queue, FIFO, 2);
	ck_assert_int_eq(put(&queue, 3), 0);
	ck_assert_int_eq(coil_queue_shutdown(&queue, false), 0);
	ck_assert_int_eq(coil_select(cases, 1, 0), 0);
	ck_assert_int_eq(cases[0].result, 0);
	ck_assert_int_eq(out, 3);
	ck_assert_int_eq(coil_select(cases, 1, 0), 0);
	ck_assert_int_eq(cases[0].result, -ESHUTDOWN);
	ck_assert_int_eq(coil_select(cases + 1, 1, 0), 0);
	ck_assert_int_eq(cases[1].result, -ESHUTDOWN);
	coil_queue_fini(&queue);
}

/*
 * What is not is waited for.
 */

COIL_TEST(of_all_that_are_waited_for_the_first_to_come_is_done)
{
	for (int which = GET; which < NEVER; which++) {
		struct all all;
		struct selection selection = SELECTION(all.cases);
		struct coil_task *task;

		make_all(&all);
		task = begin_select(&selection);
		ck_assert_str_eq(coil__task_waits_for(task), "select");
		let(&all, which);
		ck_assert_int_eq(coil_await(task), which);
		ck_done(&all, which);
		put_away(&all);
	}
}

COIL_TEST(what_comes_later_is_not_taken)
{
	for (int first = GET; first < NEVER; first++) {
		for (int second = GET; second < NEVER; second++) {
			struct all all;
			struct selection selection = SELECTION(all.cases);
			struct coil_task *task;
			int which;

			if (second == first)
				continue;
			make_all(&all);
			task = begin_select(&selection);
			let(&all, first);
			let(&all, second);
			which = coil_await(task);
			/* These take a task's turn, or a look at an fd, to be told. */
			if (first >= SHARED)
				ck_assert(which == first || which == second);
			else
				ck_assert_int_eq(which, first);
			ck_assert_int_eq(all.out, which == GET ? 12 : 1);
			ck_assert_uint_eq(coil_queue_size(&all.empty),
					  which != GET && (first == GET || second == GET));
			if (which == PUT)
				ck_assert_int_eq(get_nowait(&all.full), 41);
			ck_assert_uint_eq(coil_queue_size(&all.full),
					  first != PUT && second != PUT);
			ck_kept(&all, which);
			put_away(&all);
		}
	}
}

COIL_TEST(a_queue_that_is_shut_meanwhile_wakes_with_that_as_its_result)
{
	for (int i = 0; i < 2; i++) {
		struct all all;
		struct selection selection = SELECTION(all.cases);
		struct coil_task *task;

		make_all(&all);
		task = begin_select(&selection);
		ck_assert_int_eq(coil_queue_shutdown(i ? &all.full : &all.empty, false), 0);
		ck_assert_int_eq(coil_await(task), i ? PUT : GET);
		ck_assert_int_eq(all.cases[i ? PUT : GET].result, -ESHUTDOWN);
		ck_assert_int_eq(all.out, 1);
		put_away(&all);
	}
}

COIL_TEST(it_waits_in_line_with_the_others)
{
	struct coil_queue queue;
	int item = 0;
	struct coil_case cases[] = { COIL_SELECT_GET(&queue, &item), {0} };
	struct selection selection = SELECTION(cases);
	struct visit before = VISIT(&queue, "before", 0), after = VISIT(&queue, "after", 0);
	struct coil_task *tasks[3];

	make(&queue, FIFO, 0);
	tasks[0] = start(get_one, &before);
	tasks[1] = begin_select(&selection);
	tasks[2] = start(get_one, &after);
	settle();
	for (int i = 1; i <= 3; i++)
		ck_assert_int_eq(put(&queue, i), 0);
	ck_assert_int_eq(coil_gather(tasks, 3, (int[3]){0}), 0);
	ck_assert_int_eq(before.result, 1);
	ck_assert_int_eq(item, 2);
	ck_assert_int_eq(after.result, 3);
	coil_queue_fini(&queue);
}

COIL_TEST(many_cases_need_memory_and_are_waited_for_as_few_are)
{
	enum { MANY = 30 };
	struct coil_event events[MANY] = {0};
	struct coil_case cases[MANY];
	struct selection selection = SELECTION(cases);

	for (int i = 0; i < MANY; i++)
		cases[i] = (struct coil_case)COIL_SELECT_EVENT(&events[i]);
	for (int i = 0; i < MANY; i++) {
		struct coil_task *task;

		selection.which = 1000;
		task = begin_select(&selection);
		ck_assert_int_eq(coil_event_set(&events[i]), 0);
		ck_assert_int_eq(coil_await(task), i);
		ck_assert_int_eq(coil_event_clear(&events[i]), 0);
		for (int j = 0; j < MANY; j++)
			ck_assert_ptr_null(events[j].waiters.head);
	}
	for (unsigned long n = 1; n <= 2; n++) {
		support_fail_allocation(n);
		ck_assert_int_eq(coil_select(cases, MANY, COIL_FOREVER), -ENOMEM);
		ck_assert_ptr_null(events[0].waiters.head);
	}
}

COIL_TEST(one_queue_may_stand_there_twice)
{
	struct coil_queue queue;
	int a = 0, b = 0, in = 3;
	struct coil_case cases[] = {
		COIL_SELECT_GET(&queue, &a), COIL_SELECT_GET(&queue, &b),
		COIL_SELECT_PUT(&queue, &in),
	};
	struct selection selection = SELECTION(cases);
	struct coil_task *task;
	int which;

	make(&queue, FIFO, 1);
	selection.n = 2;
	task = begin_select(&selection);
	ck_assert_int_eq(put(&queue, 5), 0);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(a, 5);
	ck_assert_int_eq(b, 0);
	ck_left(&queue);
	/* It puts, gets that, and so on: a queue is empty or full, or both ways are open. */
	for (int i = 0; i < 20; i++) {
		which = coil_select(cases, 3, COIL_FOREVER);
		ck_assert(i % 2 ? which < 2 : which == 2);
	}
	coil_queue_fini(&queue);
}

/*
 * What others may take as well.
 */

COIL_TEST(tasks_that_wait_for_a_signal_get_it_before_a_select)
{
	struct all all;
	struct selection selection = SELECTION(all.cases);
	struct coil_task *task, *waiter;

	make_all(&all);
	task = begin_select(&selection);
	waiter = start(wait_signal, &all.signals);
	settle();
	raise(SIGUSR2);
	ck_assert_int_eq(coil_await(waiter), SIGUSR2);
	settle();
	ck_assert_int_eq(selection.which, 1000);
	raise(SIGUSR2);
	ck_assert_int_eq(coil_await(task), SIGNAL);
	put_away(&all);
}

COIL_TEST(two_selects_share_a_channel_and_each_item_goes_to_one)
{
	struct coil_channel channel;
	int items[2] = { 0, 0 }, sum = 0;
	struct coil_case cases[2][1] = {
		{ COIL_SELECT_CHANNEL_GET(&channel, &items[0]) },
		{ COIL_SELECT_CHANNEL_GET(&channel, &items[1]) },
	};
	struct selection selections[2] = { SELECTION(cases[0]), SELECTION(cases[1]) };
	struct coil_task *tasks[2];

	ck_assert_int_eq(coil_channel_init(&channel, sizeof(int), 2), 0);
	for (int i = 0; i < 2; i++)
		tasks[i] = begin_select(&selections[i]);
	for (int i = 1; i <= 2; i++) {
		ck_assert_int_eq(coil_channel_try_send(&channel, &i), 0);
		settle();
		sum = items[0] + items[1];
		ck_assert_int_eq(sum, i == 1 ? 1 : 3);
	}
	ck_assert_int_eq(coil_gather(tasks, 2, (int[2]){0}), 0);
	ck_assert_int_eq(coil_channel_close(&channel), 0);
	ck_assert_int_eq(coil_select(cases[0], 1, COIL_FOREVER), 0);
	ck_assert_int_eq(cases[0]->result, -ESHUTDOWN);
	coil_channel_fini(&channel);
}

static int send_one(void *channel)
{
	const int item = 7;

	return coil_channel_send(channel, &item);
}

COIL_TEST(a_channel_of_no_capacity_is_ready_when_a_task_is_in_line)
{
	struct coil_channel channel;
	int item = 0;
	struct coil_case cases[] = { COIL_SELECT_CHANNEL_GET(&channel, &item) };
	struct selection selection = SELECTION(cases);
	struct coil_task *task, *sender;

	ck_assert_int_eq(coil_channel_init(&channel, sizeof(int), 0), 0);
	task = begin_select(&selection);
	sender = start(send_one, &channel);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(item, 7);
	ck_assert_int_eq(coil_await(sender), 0);
	coil_channel_fini(&channel);
}

static void *send_from_outside(void *channel)
{
	const struct timespec moment = { .tv_nsec = MS };

	for (int i = 1; i <= 100; i++) {
		while (coil_channel_try_send(channel, &i) == -EAGAIN)
			nanosleep(&moment, NULL);
	}
	coil_channel_close(channel);
	return NULL;
}

COIL_TEST(a_channel_of_another_thread_is_selected_until_its_end)
{
	struct coil_channel channel;
	struct coil_event never = {0};
	int item = 0, last = 0, which;
	struct coil_case cases[] = {
		COIL_SELECT_EVENT(&never), COIL_SELECT_CHANNEL_GET(&channel, &item),
	};
	pthread_t thread;

	if (support_skip_on("sim", "it needs another thread"))
		return;
	ck_assert_int_eq(coil_channel_init(&channel, sizeof(int), 3), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, send_from_outside, &channel), 0);
	while ((which = coil_select(cases, 2, COIL_FOREVER)) == 1 && !cases[1].result)
		ck_assert_int_eq(item, ++last);
	ck_assert_int_eq(which, 1);
	ck_assert_int_eq(cases[1].result, -ESHUTDOWN);
	ck_assert_int_eq(last, 100);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	coil_channel_fini(&channel);
}

/*
 * Fairness.
 */

static void ck_even(const int *counts, size_t n, int rounds)
{
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_gt(counts[i], rounds / (int)n / 2);
		ck_assert_int_lt(counts[i], rounds / (int)n * 2);
	}
}

COIL_TEST(of_those_that_are_ready_each_is_taken_in_turn)
{
	enum { ROUNDS = 3000, CASES = 5 };
	struct coil_event events[CASES] = {0};
	struct coil_case cases[CASES];
	int counts[CASES] = {0};

	for (int i = 0; i < CASES; i++) {
		cases[i] = (struct coil_case)COIL_SELECT_EVENT(&events[i]);
		ck_assert_int_eq(coil_event_set(&events[i]), 0);
	}
	for (int i = 0; i < ROUNDS; i++)
		counts[coil_select(cases, CASES, 0)]++;
	ck_even(counts, CASES, ROUNDS);
}

COIL_TEST(a_gap_before_one_does_not_make_it_likelier)
{
	enum { ROUNDS = 2000, CASES = 10 };
	struct coil_event set = { .set = true };
	struct coil_case cases[CASES] = {0};
	int counts[2] = {0};

	cases[0] = cases[9] = (struct coil_case)COIL_SELECT_EVENT(&set);
	for (int i = 0; i < ROUNDS; i++)
		counts[coil_select(cases, CASES, 0) / 9]++;
	ck_even(counts, 2, ROUNDS);
}

struct even {
	struct coil_event *events;
	int counts[2];
};

static int select_evenly(void *arg)
{
	struct even *own = arg;
	struct coil_case cases[] = {
		COIL_SELECT_EVENT(&own->events[0]), COIL_SELECT_EVENT(&own->events[1]),
	};

	for (int i = 0; i < 1000; i++) {
		own->counts[coil_select(cases, 2, 0)]++;
		coil_yield();
	}
	return 0;
}

/* Each of them takes every second draw. */
COIL_TEST(tasks_that_select_by_turns_are_each_served_fairly)
{
	struct coil_event events[2] = { { .set = true }, { .set = true } };
	struct even both[2] = { { events, {0} }, { events, {0} } };
	struct coil_task *tasks[] = {
		start(select_evenly, &both[0]), start(select_evenly, &both[1]),
	};

	ck_assert_int_eq(coil_gather(tasks, 2, NULL), 0);
	ck_even(both[0].counts, 2, 1000);
	ck_even(both[1].counts, 2, 1000);
}


/*
 * Misuse, and want.
 */

static int select_one(const struct coil_case *one)
{
	struct coil_case cases[] = { {0}, *one };

	return coil_select(cases, 2, 0);
}

COIL_TEST(what_makes_no_sense_is_einval)
{
	struct coil_queue queue, zeroed = {0};
	struct coil_channel none = {0};
	sigset_t empty, open;
	int item = 0;
	struct coil_case cases[] = {
		COIL_SELECT_GET(NULL, &item), COIL_SELECT_GET(&queue, NULL),
		COIL_SELECT_PUT(NULL, &item), COIL_SELECT_PUT(&queue, NULL),
		COIL_SELECT_GET(&zeroed, &item), COIL_SELECT_PUT(&zeroed, &item),
		COIL_SELECT_EVENT(NULL), { .kind = COIL_SELECT_KIND_SIGNAL + 1 },
		{ .kind = (enum coil_case_kind)-1 },
		COIL_SELECT_CHANNEL_GET(NULL, &item), COIL_SELECT_CHANNEL_PUT(&none, &item),
		COIL_SELECT_CHANNEL_GET(&none, NULL), COIL_SELECT_SIGNAL(NULL, NULL),
		COIL_SELECT_SIGNAL(&empty, NULL), COIL_SELECT_SIGNAL(&open, NULL),
	};
	const struct coil_case bad = COIL_SELECT_FD(-1, POLLIN);

	sigemptyset(&empty);
	sigemptyset(&open);
	sigaddset(&open, SIGUSR2);
	ck_assert_int_eq(select_one(&bad), -EBADF);

	make(&queue, FIFO, 0);
	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_int_eq(select_one(&cases[i]), -EINVAL);
	ck_assert_int_eq(coil_select(cases, 0, 0), -EINVAL);
	ck_assert_int_eq(coil_select(NULL, 1, 0), -EINVAL);
	ck_assert_int_eq(coil_select(NULL, 0, COIL_FOREVER), -EINVAL);
	ck_assert_int_eq(coil_select(cases, SIZE_MAX, 0), -EINVAL);
	/* Not even one that is ready is done beside it. */
	ck_assert_int_eq(put(&queue, 1), 0);
	cases[0].queue = &queue;
	ck_assert_int_eq(coil_select(cases, 2, 0), -EINVAL);
	ck_assert_uint_eq(coil_queue_size(&queue), 1);
	coil_queue_fini(&queue);
}

COIL_TEST(a_regular_file_that_is_asked_for_no_event_it_has_is_never_chosen)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct coil_case file = COIL_SELECT_FD(fd, POLLPRI);

	ck_assert_int_eq(coil_select(&file, 1, COIL_MILLISECOND), -ETIMEDOUT);
	file.events |= POLLIN;
	ck_assert_int_eq(coil_select(&file, 1, COIL_MILLISECOND), 0);
	ck_assert_int_eq(file.result, POLLIN);
	coil_close(fd);
}

COIL_TEST(a_task_that_could_not_be_made_and_oneself_are_told)
{
	const struct coil_case none = COIL_SELECT_TASK(NULL);
	const struct coil_case self = COIL_SELECT_TASK(coil_current_task());

	ck_assert_int_eq(select_one(&none), -ENOMEM);
	ck_assert_int_eq(select_one(&self), -EDEADLK);
}

START_TEST(off_a_task_it_is_eperm)
{
	struct coil_event event = { .set = true };
	struct coil_case cases[] = { COIL_SELECT_EVENT(&event) };

	ck_assert_int_eq(coil_select(cases, 1, 0), -EPERM);
	ck_assert_int_eq(coil_select(cases, 1, COIL_FOREVER), -EPERM);
}
END_TEST

static int wait_event(void *event)
{
	return coil_event_wait(event);
}

struct stranger {
	struct coil_event event;
	struct coil_task *task;
};

static int wait_as_stranger(void *arg)
{
	struct stranger *stranger = arg;

	stranger->task = coil_current_task();
	return wait_event(&stranger->event);
}

COIL_TEST(what_belongs_to_another_loop_is_exdev)
{
	struct stranger stranger = {0};
	struct abroad abroad;
	struct all all;

	if (support_skip_on("sim", "it needs another thread"))
		return;
	make_all(&all);
	for (int i = 0; i < 2; i++) {
		if (i)
			ck_assert_int_eq(coil_event_open(&stranger.event), 0);
		abroad_begin(&abroad, wait_as_stranger, &stranger);
		all.cases[EVENT].event = &stranger.event;
		ck_assert_int_eq(coil_select(all.cases, KINDS, COIL_FOREVER), -EXDEV);
		all.cases[EVENT].event = &all.plain;
		all.cases[TASK].task = stranger.task;
		ck_assert_int_eq(coil_select(all.cases, KINDS, COIL_FOREVER), -EXDEV);
		all.cases[TASK].task = all.task;
		ck_assert_int_eq(coil_check(), 0);
		ck_nobody_waits(&all);
		ck_assert_int_eq(abroad_end(&abroad), -ECANCELED);
	}
	ck_assert_int_eq(coil_event_close(&stranger.event), 0);
	put_away(&all);
}

/* A put that needs memory, and a wait that needs it, for each allocation. */
COIL_TEST(without_memory_nothing_was_done)
{
	bool failed = true;
	int refusals = 0;

	for (unsigned long n = 1; failed; n++) {
		struct all all;
		int which;

		make_all(&all);
		support_fail_allocation(n);
		which = coil_select(all.cases, KINDS, MS);
		failed = support_allocation_failed();
		support_fail_allocation(0);
		/* Where a poll is what it was for there is another way. */
		ck_assert(which == -ENOMEM || which == -ETIMEDOUT);
		refusals += which == -ENOMEM;
		ck_assert_int_eq(coil_check(), 0);
		ck_done(&all, -1);
		put_away(&all);
	}
	ck_assert_int_gt(refusals, 0);
}

COIL_TEST(a_put_that_finds_no_memory_is_enomem)
{
	struct coil_queue queue;
	int item = 1;
	struct coil_case cases[] = { COIL_SELECT_PUT(&queue, &item) };

	make(&queue, FIFO, 0);
	support_fail_allocation(1);
	ck_assert_int_eq(coil_select(cases, 1, COIL_FOREVER), -ENOMEM);
	ck_assert_uint_eq(coil_queue_size(&queue), 0);
	ck_assert_int_eq(coil_select(cases, 1, COIL_FOREVER), 0);
	coil_queue_fini(&queue);
}

static void add_waits(Suite *whole)
{
	TCase *tests = tcase_create("wait");

	tcase_add_test(tests, of_all_that_are_waited_for_the_first_to_come_is_done);
	tcase_add_test(tests, what_comes_later_is_not_taken);
	tcase_add_test(tests, a_queue_that_is_shut_meanwhile_wakes_with_that_as_its_result);
	tcase_add_test(tests, it_waits_in_line_with_the_others);
	tcase_add_test(tests, many_cases_need_memory_and_are_waited_for_as_few_are);
	tcase_add_test(tests, one_queue_may_stand_there_twice);
	tcase_add_test(tests, tasks_that_wait_for_a_signal_get_it_before_a_select);
	tcase_add_test(tests, two_selects_share_a_channel_and_each_item_goes_to_one);
	tcase_add_test(tests, a_channel_of_no_capacity_is_ready_when_a_task_is_in_line);
	tcase_add_test(tests, a_channel_of_another_thread_is_selected_until_its_end);
	tcase_add_test(tests, of_those_that_are_ready_each_is_taken_in_turn);
	tcase_add_test(tests, a_gap_before_one_does_not_make_it_likelier);
	tcase_add_test(tests, tasks_that_select_by_turns_are_each_served_fairly);
	suite_add_tcase(whole, tests);
}

static void put_by_call(void *queue)
{
	int item = 7;

	ck_assert_int_eq(coil_queue_put_nowait(queue, &item), 0);
}

/*
 * For a shared event another task has to wait, which starts first.  With no budget left
 * the loop looks around at that moment, and makes a call that puts an item.
 */
COIL_TEST(an_item_that_comes_while_the_wait_for_a_shared_event_begins_is_taken)
{
	struct coil_event event = {0};
	struct coil_queue queue;
	int item = 0;
	struct coil_case cases[] = {
		COIL_SELECT_EVENT(&event), COIL_SELECT_GET(&queue, &item),
	};

	ck_assert_int_eq(coil_event_open(&event), 0);
	ck_assert_int_eq(coil_queue_init(&queue, sizeof(item), 4), 0);
	ck_assert_int_eq(coil_call_soon_threadsafe(coil_current_loop(), put_by_call, &queue), 0);
	coil__loop->run.budget = 1;
	ck_assert_int_eq(coil_select(cases, 2, ahead()), 1);
	ck_assert_int_eq(cases[1].result, 0);
	ck_assert_int_eq(item, 7);
	coil_queue_fini(&queue);
	settle();
	ck_assert_int_eq(coil_event_close(&event), 0);
}

Suite *suite(void)
{
	Suite *whole = suite_create("select");
	TCase *tests = tcase_create("ready");

	tcase_add_test(tests, a_get_that_can_be_is_done_at_once);
	tcase_add_test(tests, a_put_that_can_be_is_done_at_once);
	tcase_add_test(tests, an_event_that_is_set_is_ready_and_stays_set);
	tcase_add_test(tests, a_task_that_has_ended_is_ready_and_its_handle_stays);
	tcase_add_test(tests, a_queue_that_is_shut_is_ready_and_says_so);
	suite_add_tcase(whole, tests);
	add_waits(whole);
	tests = tcase_create("misuse");
	tcase_add_test(tests, what_makes_no_sense_is_einval);
	tcase_add_test(tests, a_regular_file_that_is_asked_for_no_event_it_has_is_never_chosen);
	tcase_add_test(tests, a_task_that_could_not_be_made_and_oneself_are_told);
	tcase_add_test(tests, off_a_task_it_is_eperm);
	tcase_add_test(tests, what_belongs_to_another_loop_is_exdev);
	tcase_add_test(tests, without_memory_nothing_was_done);
	tcase_add_test(tests, a_put_that_finds_no_memory_is_enomem);
	tcase_add_test(tests,
		       an_item_that_comes_while_the_wait_for_a_shared_event_begins_is_taken);
	suite_add_tcase(whole, tests);
	return whole;
}
