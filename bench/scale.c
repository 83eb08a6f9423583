/* SPDX-License-Identifier: MIT */
/*
 * How the cost of one task grows with the number N of tasks: scale WORK N.  It makes a
 * quadratic cost visible.  Prints the CPU ns for each of the N, with their creation, and
 * in milliseconds
 *
 * - the longest stretch of the thread's CPU time in which a task that sleeps for 1 ms,
 *   again and again, did not run: the time that other tasks took before its turn;
 * - the longest wall time from the start of a pass of the loop, which is its last look at
 *   I/O, to the end of a task.  Other load of the machine is included.
 */
#include "bench/bench.h"
#include <coil.h>
#include <errno.h>
#include <string.h>

static size_t n;
static struct coil_task **tasks;
static struct coil_event event, *events;
static struct coil_lock lock;
static struct coil_rwlock rwlock;
static struct coil_semaphore semaphore = COIL_SEMAPHORE(0);
static struct coil_barrier barrier;
static struct coil_queue queue;
static int64_t longest_pass, when, from;
static double stretch_began, longest_stretch;

static void must(int err)
{
	if (err < 0) {
		fprintf(stderr, "scale: %s\n", strerror(-err));
		exit(1);
	}
}

/* Tasks call this as they end, so that the last one of a pass sees nearly all of it. */
static void look_at_pass(void)
{
	int64_t now = coil_now() - coil_loop_now();

	if (coil_loop_now() >= from && now > longest_pass)
		longest_pass = now;
}

static void begin_stretch(void)
{
	stretch_began = bench_clock(CLOCK_THREAD_CPUTIME_ID);
	from = coil_now();
}

static void end_stretch(void)
{
	double now = bench_clock(CLOCK_THREAD_CPUTIME_ID);

	if (now - stretch_began > longest_stretch)
		longest_stretch = now - stretch_began;
	stretch_began = now;
}

/* Runs until no other task is left, main included. */
static int tick(void *arg)
{
	(void)arg;
	begin_stretch();
	COIL_SHIELD(COIL_FOREVER) {
		while (coil_all_tasks(NULL, 0) > 1) {
			must(coil_sleep(COIL_MILLISECOND));
			end_stretch();
		}
	}
	return 0;
}

static int ended(int result)
{
	look_at_pass();
	return result == -ECANCELED || result == -ETIMEDOUT ? 0 : result;
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int take_lock(void *arg)
{
	int err = coil_lock_acquire(&lock);

	(void)arg;
	if (!err)
		coil_lock_release(&lock);
	return ended(err);
}

static int take_rwlock(void *arg)
{
	int err = (size_t)arg & 1 ? coil_rwlock_read(&rwlock) : coil_rwlock_write(&rwlock);

	if (!err)
		coil_rwlock_release(&rwlock);
	return ended(err);
}

static int take_semaphore(void *arg)
{
	int err = coil_semaphore_acquire(&semaphore);

	(void)arg;
	if (!err)
		coil_semaphore_release(&semaphore);
	return ended(err);
}

static int wait_event(void *arg)
{
	(void)arg;
	return ended(coil_event_wait(&event));
}

static int get(void *arg)
{
	int item;

	(void)arg;
	return ended(coil_queue_get(&queue, &item));
}

static int meet(void *arg)
{
	int err = coil_barrier_wait(&barrier);

	(void)arg;
	return ended(err == -ENOTRECOVERABLE || err > 0 ? 0 : err);
}

static int sleep_long(void *arg)
{
	(void)arg;
	return ended(coil_sleep(3600 * COIL_SECOND));
}

static int sleep_briefly(void *arg)
{
	int64_t step = 20 * COIL_MICROSECOND;

	return ended(coil_sleep((1 + (int64_t)((size_t)arg * 7919 % n)) * step));
}

/* Waits for the event, with a deadline that all tasks share. */
static int wait_until(void *arg)
{
	struct coil_timeout timeout = {0};
	int err;

	must(coil_timeout_begin(&timeout, COIL_FOREVER));
	must(coil_timeout_reschedule(&timeout, when));
	err = coil_event_wait(events ? &events[(size_t)arg] : &event);
	coil_timeout_end(&timeout);
	return ended(err);
}

/* Yields now and then: a long run of the program itself must not count as a pass. */
static void pause_each(size_t i)
{
	if (i % 256 == 255)
		must(coil_yield());
}

static void make(int (*fn)(void *arg))
{
	for (size_t i = 0; i < n; i++) {
		tasks[i] = coil_create_task(fn, (void *)i);
		must(tasks[i] ? 0 : -errno);
		pause_each(i);
	}
}

static void make_parked(int (*fn)(void *arg))
{
	make(fn);
	for (size_t i = 0; i < n / 32 + 8; i++)
		must(coil_yield());
}

static void gather(void)
{
	must(coil_gather(tasks, n, NULL));
}

static void cancel(void)
{
	for (size_t i = n; i-- > 0;) {
		coil_cancel(tasks[i]);
		pause_each(i);
	}
	gather();
}

static void do_barrier(void) { make(meet); gather(); }

static void do_barrier_cancel(void)
{
	barrier.parties++;
	make_parked(meet);
	cancel();
}

static void do_barrier_abort(void)
{
	barrier.parties++;
	make_parked(meet);
	must(coil_barrier_abort(&barrier));
	gather();
}

static void iterate(void)
{
	size_t done = 0;

	while (coil_as_completed(tasks, n, &done) >= 0) {
		look_at_pass();
		pause_each(done);
	}
	gather();
}

static void do_completed(void) { make_parked(nothing); iterate(); }
static void do_completed_live(void) { make(sleep_briefly); iterate(); }

static void do_nested(void)
{
	struct coil_timeout *scopes = calloc(n, sizeof(*scopes));

	must(scopes ? 0 : -ENOMEM);
	for (size_t i = 0; i < n; i++)
		must(coil_timeout_begin(&scopes[i], i % 2 ? COIL_FOREVER : 3600 * COIL_SECOND));
	for (size_t i = n; i-- > 0;)
		must(coil_timeout_end(&scopes[i]));
	free(scopes);
}

/* All deadlines are equal and have passed when their scopes end, the last scope first. */
static void do_overdue(void)
{
	events = calloc(n, sizeof(*events));
	must(events ? 0 : -ENOMEM);
	when = coil_now() + 100 * COIL_MILLISECOND + (int64_t)n * 20 * COIL_MICROSECOND;
	make_parked(wait_until);
	while (coil_now() < when)
		;
	begin_stretch();
	must(coil_yield());
	for (size_t i = n; i-- > 0;)
		coil_event_set(&events[i]);
	gather();
	free(events);
}

static void do_expire(void)
{
	when = coil_now() + 100 * COIL_MILLISECOND + (int64_t)n * 20 * COIL_MICROSECOND;
	make(wait_until);
	gather();
}

static void do_lock(void)
{
	must(coil_lock_acquire(&lock));
	make_parked(take_lock);
	coil_lock_release(&lock);
	gather();
}

static void do_lock_cancel(void)
{
	must(coil_lock_acquire(&lock));
	make_parked(take_lock);
	cancel();
	coil_lock_release(&lock);
}

static void do_rwlock(void)
{
	must(coil_rwlock_write(&rwlock));
	make_parked(take_rwlock);
	coil_rwlock_release(&rwlock);
	gather();
}

static void do_semaphore(void)
{
	make_parked(take_semaphore);
	must(coil_semaphore_release(&semaphore));
	gather();
}

static void do_event(void) { make_parked(wait_event); coil_event_set(&event); gather(); }
static void do_event_cancel(void) { make_parked(wait_event); cancel(); }
static void do_sleep_cancel(void) { make_parked(sleep_long); cancel(); }

static void do_queue(void)
{
	must(coil_queue_init(&queue, sizeof(int), 0));
	make_parked(get);
	for (int i = 0; (size_t)i < n; i++)
		must(coil_queue_put(&queue, &i));
	gather();
	coil_queue_fini(&queue);
}

static void do_group(void)
{
	struct coil_group group = {0};

	for (size_t i = 0; i < n; i++) {
		must(coil_group_create_task(&group, sleep_long, NULL));
		pause_each(i);
	}
	for (size_t i = 0; i < n / 32 + 8; i++)
		must(coil_yield());
	coil_group_cancel(&group);
	must(coil_group_wait(&group));
}

static int cancel_by_deadline(void *arg)
{
	(void)arg;
	COIL_TIMEOUT(100 * COIL_MILLISECOND + (int64_t)n * 20 * COIL_MICROSECOND) {
		struct coil_group group = {0};

		for (size_t i = 0; i < n; i++) {
			must(coil_group_create_task(&group, sleep_long, NULL));
			pause_each(i);
		}
		(void)!coil_group_wait(&group);
	}
	return 0;
}

static void do_deadline(void)
{
	must(coil_await(coil_create_task(cancel_by_deadline, NULL)));
}

static int sleep_until_when(void *arg)
{
	(void)arg;
	return ended(coil_sleep_until(when));
}

static void do_sleep(void)
{
	when = coil_now() + 100 * COIL_MILLISECOND + (int64_t)n * 20 * COIL_MICROSECOND;
	make(sleep_until_when);
	gather();
}

static int clean_up(void *arg)
{
	int err = coil_sleep(3600 * COIL_SECOND);

	(void)arg;
	coil_detach(coil_create_task(nothing, NULL));
	return ended(err);
}

/* Main returns while all tasks still run; the loop cancels them, and each makes one more. */
static void do_leave(void) { make_parked(clean_up); }

static void do_wait(void)
{
	make(sleep_briefly);
	must(coil_wait(tasks, n, COIL_ALL_COMPLETED, COIL_FOREVER));
	gather();
}

static const struct { const char *name; void (*run)(void); } works[] = {
	{ "barrier", do_barrier }, { "barrier-cancel", do_barrier_cancel },
	{ "barrier-abort", do_barrier_abort }, { "completed", do_completed },
	{ "completed-live", do_completed_live }, { "nested", do_nested },
	{ "overdue", do_overdue }, { "expire", do_expire }, { "lock", do_lock },
	{ "lock-cancel", do_lock_cancel }, { "rwlock", do_rwlock },
	{ "semaphore", do_semaphore }, { "event", do_event },
	{ "event-cancel", do_event_cancel }, { "sleep-cancel", do_sleep_cancel },
	{ "queue", do_queue }, { "group", do_group }, { "deadline", do_deadline },
	{ "sleep", do_sleep }, { "leave", do_leave }, { "wait", do_wait },
};

static int app(void *arg)
{
	void (*const *run)(void) = arg;
	struct coil_task *ticker = coil_create_task(tick, NULL);

	must(ticker ? coil_yield() : -errno);
	coil_detach(ticker);
	(*run)();
	return 0;
}

static int measure(size_t i)
{
	double began = bench_cpu(), each;
	int err;

	barrier = (struct coil_barrier)COIL_BARRIER((int)n);
	err = coil_run(app, (void *)&works[i].run);
	each = (bench_cpu() - began) / (double)n;
	if (bench_lines()) {
		bench_line("scale", "each", each, "ns");
		bench_line("scale", "stretch", longest_stretch / 1e6, "ms");
		bench_line("scale", "pass", (double)longest_pass / 1e6, "ms");
	} else {
		printf("%-16s %8zu: %8.0f ns each, a stretch of %.1f ms, a pass of %.1f ms\n",
		       works[i].name, n, each, longest_stretch / 1e6,
		       (double)longest_pass / 1e6);
	}
	return err;
}

int main(int argc, char **argv)
{
	n = (size_t)bench_argument(argc, argv, 2, 100000);
	tasks = calloc(n, sizeof(struct coil_task *));
	if (!n || !tasks)
		return 2;
	for (size_t i = 0; argc > 1 && i < sizeof(works) / sizeof(*works); i++) {
		if (!strcmp(argv[1], works[i].name))
			return measure(i) != 0;
	}
	fprintf(stderr, "usage: scale WORK [N]; the works are:");
	for (size_t i = 0; i < sizeof(works) / sizeof(*works); i++)
		fprintf(stderr, " %s", works[i].name);
	fprintf(stderr, "\n");
	return 2;
}
