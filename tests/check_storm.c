/* SPDX-License-Identifier: MIT */
/*
 * Tasks that do at random what tasks can do, and cancel one another while they are
 * at it, against a model that knows who holds what.  COIL_STORM_SEED repeats a
 * storm, COIL_STORM_SECONDS lets it rage for so long.
 */
#include "tests/tasks.h"
#include "core/task/loop.h"
#include <coil.h>
#include <stdlib.h>
#include <time.h>

enum {
	LOCKS = 3,
	SEMAPHORES = 2,
	PERMITS = 2,
	QUEUES = 2,
	ROOM = 3,
	EVENTS = 2,
	ALIVE = 150,		/* tasks at a time */
	DEEPEST = 4,
	CHILDREN = 4,
	STEPS = 3000,		/* of all tasks together, in a round */
	ROUNDS = 12,
	ITEMS = 1 << 16,
};

/* What became of an item. */
enum item { OFFERED = 1, PUT, WITHDRAWN, GOT = 8 };

/* A task of the storm.  The one that makes it keeps it until it has ended. */
struct worker {
	struct worker *next;	/* of those that run */
	struct worker **link;
	struct coil_task *task;
	int depth;
	int result; /* as of fn, to be compared with what others are told */
	bool ended;
	bool *freed;		/* for those whom nobody waits for */
};

static struct {
	uint64_t random;
	int steps;
	int alive;
	struct worker *running;

	struct coil_lock locks[LOCKS];
	const struct worker *owners[LOCKS];
	struct coil_semaphore semaphores[SEMAPHORES];
	int permits[SEMAPHORES];	/* taken */
	struct coil_queue queues[QUEUES];
	int held[QUEUES]; /* put and not got, as far as anybody was told */
	struct coil_event events[EVENTS];
	unsigned char items[ITEMS];
	int next_item;

	char *text;		/* who did what, in order */
	size_t length;
} storm;

enum { TEXT = 1 << 22 };

static unsigned below(unsigned n)
{
	storm.random ^= storm.random << 13;
	storm.random ^= storm.random >> 7;
	storm.random ^= storm.random << 17;
	return (unsigned)(storm.random >> 33) % n;
}

static void note(const struct worker *worker, const char *what, int result)
{
	size_t room = TEXT - storm.length;
	int n;

	if (!storm.text)
		return;
	n = snprintf(storm.text + storm.length, room, "%llu %s %d\n",
		     (unsigned long long)(worker ? worker->task->number : 0),
		     what, result);
	ck_assert_uint_lt((size_t)n, room);
	storm.length += (size_t)n;
}

/*
 * What every parking call must hold to: a request that was pending is returned,
 * and one that is returned is pending.
 */
static bool went_well(const struct worker *worker, int before, int err,
		      const char *what)
{
	note(worker, what, err);
	if (before)
		ck_assert_msg(err == before,
			      "%s returned %d though %d was pending", what, err,
			      before);
	if (err == -ECANCELED)
		ck_assert_int_eq(coil_check(), -ECANCELED);
	else if (err == -ETIMEDOUT)
		ck_assert_int_ne(coil_check(), 0);
	else
		ck_assert_msg(err >= 0, "%s returned %d", what, err);
	return err >= 0;
}

static int some_time(void)
{
	return (int)below(support_simulated() ? 2000000 : 200000);
}

static void act(struct worker *worker);

static void rest(struct worker *worker)
{
	int before = coil_check();

	if (below(2))
		went_well(worker, before, coil_yield(), "yield");
	else
		went_well(worker, before, coil_sleep(some_time()), "sleep");
}

/*
 * Things to hold.  Whatever may wait for ever does so under a deadline.
 */

static void use_lock(struct worker *worker)
{
	int i = (int)below(LOCKS), before, err;

	COIL_TIMEOUT(some_time()) {
		before = coil_check();
		err = coil_lock_acquire(&storm.locks[i]);
		if (!went_well(worker, before, err, "lock"))
			break;
		ck_assert_ptr_null(storm.owners[i]);
		storm.owners[i] = worker;
		rest(worker);
		ck_assert_ptr_eq(storm.owners[i], worker);
		storm.owners[i] = NULL;
		ck_assert_int_eq(coil_lock_release(&storm.locks[i]), 0);
	}
}

static void use_semaphore(struct worker *worker)
{
	int i = (int)below(SEMAPHORES), before, err;

	COIL_TIMEOUT(some_time()) {
		before = coil_check();
		err = coil_semaphore_acquire(&storm.semaphores[i]);
		if (!went_well(worker, before, err, "permit"))
			break;
		ck_assert_int_lt(storm.permits[i], PERMITS);
		storm.permits[i]++;
		rest(worker);
		storm.permits[i]--;
		ck_assert_int_eq(coil_semaphore_release(&storm.semaphores[i]),
				 0);
	}
}

static void put_item(struct worker *worker)
{
	int i = (int)below(QUEUES), item = storm.next_item++ % ITEMS, before,
	    err;

	COIL_TIMEOUT(some_time()) {
		before = coil_check();
		storm.items[item] = OFFERED;
		err = coil_queue_put(&storm.queues[i], &item);
		/* Somebody may have got it before its giver came to know. */
		if (went_well(worker, before, err, "put"))
			storm.items[item] += PUT - OFFERED;
		else
			storm.items[item] += WITHDRAWN - OFFERED;
		storm.held[i] += err == 0;
	}
}

static void get_item(struct worker *worker)
{
	int i = (int)below(QUEUES), item = -1, before, err;

	COIL_TIMEOUT(some_time()) {
		before = coil_check();
		err = coil_queue_get(&storm.queues[i], &item);
		if (!went_well(worker, before, err, "get"))
			break;
		ck_assert(item >= 0 && item < ITEMS);
		ck_assert_msg(storm.items[item] == OFFERED ||
				      storm.items[item] == PUT,
			      "item %d is %d", item, storm.items[item]);
		storm.items[item] += GOT;
		storm.held[i]--;
	}
}

static void use_event(struct worker *worker)
{
	struct coil_event *event = &storm.events[below(EVENTS)];
	int before;

	switch (below(4)) {
	case 0:
		coil_event_set(event);
		break;
	case 1:
		coil_event_clear(event);
		break;
	default:
		COIL_TIMEOUT(some_time()) {
			before = coil_check();
			went_well(worker, before, coil_event_wait(event),
				  "event");
		}
	}
}

/*
 * Scopes.
 */

static void act_in_timeout(struct worker *worker)
{
	struct coil_timeout timeout = {0};
	int err;

	ck_assert_int_eq(coil_timeout_begin(&timeout,
					    (int)below(3) ? some_time() : 0),
			 0);
	for (unsigned n = below(3); n; n--)
		act(worker);
	if (below(4) == 0)
		(void)coil_timeout_reschedule(&timeout,
					      coil_now() + some_time());
	act(worker);
	err = coil_timeout_end(&timeout);
	note(worker, "timeout", err);
	ck_assert(err == 0 ||
		  (err == -ETIMEDOUT && coil_timeout_expired(&timeout)));
}

static void act_in_shield(struct worker *worker)
{
	struct coil_timeout shield = {0};
	bool forever = below(2);

	ck_assert_int_eq(coil_shield_begin(&shield, forever ? COIL_FOREVER
							    : some_time()),
			 0);
	if (forever) {
		ck_assert_int_eq(coil_check(), 0);
		ck_assert_int_eq(coil_yield(), 0);
	}
	act(worker);
	note(worker, "shield", coil_timeout_end(&shield));
}

static void cancel_somebody(struct worker *worker)
{
	unsigned n = below(20);
	struct worker *other = storm.running;

	while (other && other->next && n--)
		other = other->next;
	if (other)
		ck_assert(coil_cancel(other->task));
	note(worker, "cancel", other ? (int)other->task->number : 0);
}

/*
 * Children.
 */

static int work(void *arg)
{
	struct worker *worker = arg;
	static const int results[] = { 0, 1, 2, -EIO, -EPIPE, -ECANCELED };
	bool *freed = worker->freed;

	worker->task = coil_current_task();
	worker->next = storm.running;
	worker->link = &storm.running;
	if (worker->next)
		worker->next->link = &worker->next;
	storm.running = worker;
	storm.alive++;
	for (unsigned n = below(8); n; n--)
		act(worker);
	worker->result = below(3) ? (int)below(3) : results[below(6)];
	note(worker, "end", worker->result);
	*worker->link = worker->next;
	if (worker->next)
		worker->next->link = worker->link;
	storm.alive--;
	worker->ended = true;
	if (freed) {
		int result = worker->result;

		free(worker);
		*freed = true;
		return result;
	}
	return worker->result;
}

static struct coil_task *start_worker(const struct worker *parent,
				      struct worker *worker)
{
	const struct coil_task_options eager = { .eager = true };

	*worker = (struct worker){ .depth = parent->depth + 1 };
	return below(4) ? start(work, worker)
			: coil_create_task_with(&eager, work, worker);
}

/* Whoever returns from one that waits for children finds them all ended. */
static void have_ended(const struct worker *children, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ck_assert(children[i].ended);
}

/* A child's result, or the caller's own reason if that was -ECANCELED. */
static void is_result(const struct worker *child, int result)
{
	ck_assert(result == child->result || (child->result == -ECANCELED &&
					      result < 0 && coil_check() != 0));
}

static void await_child(struct worker *worker)
{
	struct worker child;
	struct coil_task *task = start_worker(worker, &child);
	int result = 0, limit = some_time();

	switch (below(3)) {
	case 0:
		result = coil_await(task);
		is_result(&child, result);
		break;
	case 1:
		ck_assert_int_eq(coil_join(task, &result), 0);
		ck_assert_int_eq(result, child.result);
		break;
	default:
		result = coil_wait_for(task, limit);
		if (result != -ETIMEDOUT || child.result != -ECANCELED)
			is_result(&child, result);
	}
	note(worker, "await", result);
	have_ended(&child, 1);
}

static int left_behind;
static bool gone[1 << 12];

/* One that runs on by itself has its worker on the heap. */
static void leave_child(struct worker *worker)
{
	struct worker *child = malloc(sizeof(*child));
	struct coil_task *task;

	*child = (struct worker){
		.depth = worker->depth + 1,
		.freed = &gone[left_behind++ % (1 << 12)],
	};
	task = start(work, child);
	if (below(2))
		coil_detach(task);
	else
		note(worker, "shielded", coil_shield(task));
}

static void gather_children(struct worker *worker)
{
	struct worker children[CHILDREN];
	struct coil_task *tasks[CHILDREN];
	int results[CHILDREN], err;
	unsigned n = 1 + below(CHILDREN);
	bool collect = below(2);

	for (unsigned i = 0; i < n; i++)
		tasks[i] = start_worker(worker, &children[i]);
	err = coil_gather(tasks, n, collect ? results : NULL);
	note(worker, "gather", err);
	have_ended(children, n);
	for (unsigned i = 0; collect && i < n; i++)
		ck_assert_int_eq(results[i], children[i].result);
	ck_assert(!collect || err == 0 || coil_check() != 0);
}

static void watch_children(struct worker *worker)
{
	struct worker children[CHILDREN];
	struct coil_task *tasks[CHILDREN];
	unsigned n = 1 + below(CHILDREN);
	size_t done = 0;
	int err;

	for (unsigned i = 0; i < n; i++)
		tasks[i] = start_worker(worker, &children[i]);
	err = coil_wait(tasks, n, (enum coil_wait)below(3), some_time());
	note(worker, "wait", err);
	ck_assert(err >= 0 || coil_check() != 0);
	for (unsigned i = below(n + 1); i; i--) {
		err = coil_as_completed(tasks, n, &done);
		note(worker, "as_completed", err);
		if (err < 0)
			break;
		ck_assert(coil_done(tasks[err]));
	}
	note(worker, "gather", coil_gather(tasks, n, NULL));
	have_ended(children, n);
}

static void lead_group(struct worker *worker)
{
	struct worker children[CHILDREN];
	struct coil_group group = { .independent = below(4) == 0 };
	unsigned n = 1 + below(CHILDREN), made = 0;
	int err;

	for (unsigned i = 0; i < n; i++) {
		children[made] = (struct worker){ .depth = worker->depth + 1 };
		err = coil_group_create_task(&group, work, &children[made]);
		ck_assert(err == 0 || err == -ECANCELED);
		made += err == 0;
	}
	for (unsigned i = below(3); i; i--)
		rest(worker);
	if (below(4) == 0)
		coil_group_cancel(&group);
	if (below(8) == 0)
		coil_group_fail(&group, -EPROTO);
	err = coil_group_wait(&group);
	note(worker, "group", err);
	have_ended(children, made);
	ck_assert(err == 0 || err == -EIO || err == -EPIPE || err == -EPROTO ||
		  err == coil_check());
}

static int set_future(void *arg)
{
	for (unsigned n = below(4); n; n--)
		coil_yield();
	return coil_future_set(arg, 7);
}

static void wait_for_future(struct worker *worker)
{
	struct coil_future future = {0};
	struct coil_task *task = start(set_future, &future);
	int before = coil_check(), err = coil_future_wait(&future);

	went_well(worker, before, err, "future");
	ck_assert(err == 7 || err < 0);
	ck_assert_int_eq(coil_await(task), 0);
	ck_assert_int_eq(coil_future_result(&future), 7);
}

static void act(struct worker *worker)
{
	static void (*const alone[])(struct worker *) = {
		rest,	  rest,	    use_lock,  use_semaphore,
		put_item, get_item, use_event, cancel_somebody,
	};
	static void (*const with_others[])(struct worker *) = {
		act_in_timeout,	 act_in_shield,	 await_child, leave_child,
		gather_children, watch_children, lead_group,  wait_for_future,
	};

	if (storm.steps <= 0)
		return;
	storm.steps--;
	if (below(2) && worker->depth < DEEPEST && storm.alive < ALIVE)
		with_others[below(8)](worker);
	else
		alone[below(8)](worker);
}

static void hear(const struct coil_task *task, int error, void *arg)
{
	/* What detached tasks and independent groups' children fail with. */
	ck_assert(error == -EIO || error == -EPIPE);
}

static void prepare(void)
{
	storm.steps = STEPS;
	for (int i = 0; i < SEMAPHORES; i++)
		storm.semaphores[i] =
			(struct coil_semaphore)COIL_BOUNDED_SEMAPHORE(PERMITS);
	for (int i = 0; i < QUEUES; i++)
		ck_assert_int_eq(coil_queue_init(&storm.queues[i], sizeof(int),
						 ROOM),
				 0);
	coil_set_error_handler(hear, NULL);
}

/* All is as before, and every item that was put was got or is still there. */
static void clear_up(void)
{
	int item;

	ck_assert_int_eq(storm.alive, 0);
	for (int i = 0; i < LOCKS; i++)
		ck_assert(!coil_lock_locked(&storm.locks[i]) &&
			  !storm.locks[i].waiters.head);
	for (int i = 0; i < SEMAPHORES; i++) {
		ck_assert_int_eq(storm.permits[i], 0);
		ck_assert_int_eq(coil_semaphore_release(&storm.semaphores[i]),
				 -ERANGE);
		ck_assert_ptr_null(storm.semaphores[i].waiters.head);
	}
	for (int i = 0; i < QUEUES; i++) {
		ck_assert_int_eq((int)coil_queue_size(&storm.queues[i]),
				 storm.held[i]);
		while (!coil_queue_get_nowait(&storm.queues[i], &item))
			storm.items[item] += GOT;
		coil_queue_fini(&storm.queues[i]);
	}
	for (int i = 0; i < ITEMS; i++)
		ck_assert(!storm.items[i] || storm.items[i] == WITHDRAWN ||
			  storm.items[i] == PUT + GOT);
	for (int i = 0; i < EVENTS; i++)
		ck_assert_ptr_null(storm.events[i].waiters.head);
	ck_assert_uint_eq(coil__loop->timers.count, 0);
	ck_assert_uint_eq(coil_all_tasks(NULL, 0), 1);
}

static int rage(void *arg)
{
	struct worker self = { .task = coil_current_task() };

	prepare();
	while (storm.steps > 0) {
		struct worker first[CHILDREN];
		struct coil_task *tasks[CHILDREN];
		int results[CHILDREN];

		for (int i = 0; i < CHILDREN; i++)
			tasks[i] = start_worker(&self, &first[i]);
		ck_assert_int_eq(coil_gather(tasks, CHILDREN, results), 0);
		have_ended(first, CHILDREN);
	}
	/* Those that were left behind come to their ends. */
	while (coil_all_tasks(NULL, 0) > 1)
		ck_assert_int_eq(coil_sleep(COIL_MILLISECOND), 0);
	clear_up();
	return 0;
}

static void run_round(uint64_t seed, char *text)
{
	memset(&storm, 0, sizeof(storm));
	/* A sequence that begins with 0 never leaves it. */
	storm.random = seed ? seed : 1;
	storm.text = text;
	if (text)
		text[0] = '\0';
	ck_assert_int_eq(coil_run(rage, NULL), 0);
}

static uint64_t storm_seed(void)
{
	const char *asked = getenv("COIL_STORM_SEED");
	uint64_t seed = asked ? strtoull(asked, NULL, 0) : support_seed();

	printf("COIL_STORM_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	return seed;
}

static int storm_seconds(void)
{
	const char *asked = getenv("COIL_STORM_SECONDS");

	return asked ? (int)strtol(asked, NULL, 10) : 0;
}

/* Check counts the microseconds of a test in an int: no test lasts 36 minutes. */
enum { SLICE = 600 };

static int storm_slices(void)
{
	int seconds = storm_seconds();

	return seconds > SLICE ? (seconds + SLICE - 1) / SLICE : 1;
}

START_TEST(nothing_is_lost_and_nobody_is_forgotten)
{
	uint64_t seed = storm_seed() + ((uint64_t)_i << 32);
	struct timespec began, now;
	int rounds = 0, seconds = storm_seconds() / storm_slices();

	clock_gettime(CLOCK_MONOTONIC, &began);
	do {
		/* The seed that would repeat it. */
		printf("COIL_STORM_SEED=%llu\n",
		       (unsigned long long)(seed + (uint64_t)rounds));
		fflush(stdout);
		run_round(seed + (uint64_t)rounds++, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (seconds ? now.tv_sec - began.tv_sec < seconds
			 : rounds < ROUNDS);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_trace_where_time_is_simulated)
{
	uint64_t seed = storm_seed();
	char *first, *second;

	if (!support_simulated())
		return;
	first = malloc(TEXT);
	second = malloc(TEXT);
	run_round(seed, first);
	run_round(seed, second);
	ck_assert_uint_gt(strlen(first), STEPS);
	ck_assert_msg(!strcmp(first, second), "the traces differ");
	/* Another seed gives another. */
	run_round(seed + 1, second);
	ck_assert(strcmp(first, second) != 0);
	free(first);
	free(second);
}
END_TEST

Suite *suite(void)
{
	Suite *whole = suite_create("storm");
	TCase *tests = tcase_create("storm");

	tcase_set_timeout(tests, 30 * support_patience() + 2 * storm_seconds());
	tcase_add_loop_test(tests, nothing_is_lost_and_nobody_is_forgotten, 0, storm_slices());
	tcase_add_test(tests, the_same_seed_gives_the_same_trace_where_time_is_simulated);
	suite_add_tcase(whole, tests);
	return whole;
}
