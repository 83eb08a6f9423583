/* SPDX-License-Identifier: MIT */
/*
 * The waiters of a shared event park in its wait queue, as those of a plain event do.
 * One more task, the watcher, polls the eventfd for all of them.  If each waiter polled
 * for itself, the io_uring backend would complete the polls in reverse order.  On the
 * epoll backend the waiters would miss a set of their own loop that is cleared at once.
 *
 * A watcher exists while there are waiters.  Its struct coil_event_watcher, on its own
 * stack, points to the event.  The task that removes the last waiter, by waking it or by
 * leaving the queue itself, clears that pointer.  From then on the library does not use
 * the event.  The caller may free it although some woken tasks have not run yet.
 */
#include <coil/event.h>
#include <coil/socket.h>
#include <coil/task.h>
#include "core/task/self.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct coil_event_watcher {
	struct coil_task *task;
	struct coil_event *event;	/* NULL: the watcher was dismissed */
};

static bool event_is_ready(int fd, short events)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	return poll(&poll_fd, 1, 0) == 1 && poll_fd.revents & events;
}

/* Polls the eventfd for this task alone, without a watcher. */
static int poll_alone(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int n = coil_poll(&poll_fd, 1);

	if (n < 0)
		return n;
	return poll_fd.revents & POLLIN ? 0 : -EBADF;
}

/*
 * Many threads may set one event, but the tasks of only one thread may wait for it.
 * Only that thread may read the wait queue.
 */
static bool is_here(uintptr_t thread)
{
	return thread == (uintptr_t)pthread_self();
}

/*
 * A waiter sees everything that the setting thread wrote before the set, and may rely on
 * that thread not to use the event any more.  The write and the read of the eventfd ensure
 * this order, but the C memory model and ThreadSanitizer do not know it.  publish() and
 * observe() state it.
 */
static uintptr_t publish(struct coil_event *event)
{
	return __atomic_fetch_add(&event->thread, 0, __ATOMIC_RELEASE);
}

static uintptr_t observe(const struct coil_event *event)
{
	return __atomic_load_n(&event->thread, __ATOMIC_ACQUIRE);
}

static bool claim(struct coil_event *event)
{
	uintptr_t unclaimed = 0;

	return is_here(observe(event)) ||
	       __atomic_compare_exchange_n(&event->thread, &unclaimed,
					   (uintptr_t)pthread_self(), false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Must be the last access to the event: another thread may claim it from here on. */
static void disclaim(struct coil_event *event)
{
	__atomic_store_n(&event->thread, 0, __ATOMIC_RELEASE);
}

/* alone: the watcher has failed, and each waiter has to poll the eventfd itself. */
static void wake_all(struct coil_event *event, bool alone)
{
	void *result;

	while (coil_waitq_unpark_with(&event->waiters, &result))
		*(bool *)result = alone;
}

/*
 * The poll fails if the watcher is cancelled.  A loop that ends cancels it, while a
 * shielded task may still wait for the event.
 */
static int event_watch(void *arg)
{
	struct coil_event *event = arg;
	struct coil_event_watcher self = { coil_current_task(), event };
	int err;

	event->watcher = &self;
	err = poll_alone(event->fd);
	if (self.event) {
		(void)observe(event);
		event->watcher = NULL;
		wake_all(event, err != 0);
		disclaim(event);
	}
	return 0;
}

static void dismiss(struct coil_event *event)
{
	struct coil_event_watcher *watcher = event->watcher;

	event->watcher = NULL;
	watcher->event = NULL;
	coil_cancel(watcher->task);
	disclaim(event);
}

/* Eager: the watcher sets event->watcher before another task can dismiss it. */
static int start_watcher(struct coil_event *event)
{
	static const struct coil_task_options options = {
		.name = "event", .eager = true,
	};
	struct coil_task *task = coil_create_task_with(&options, event_watch, event);
	int err = task ? 0 : -errno;

	if (err)
		disclaim(event);
	coil_detach(task);
	return err;
}

static int wait_shared(struct coil_event *event)
{
	bool alone = false;
	int fd = event->fd, err = coil_check();

	/* A cancellation is pending, or the caller is no task: the poll fails at once. */
	if (err)
		return poll_alone(fd);
	if (event_is_ready(fd, POLLIN)) {
		(void)observe(event);
		coil__got();
		return 0;
	}
	if (!claim(event))
		return -EXDEV;
	if (!event->watcher) {
		event->set = false;
		err = start_watcher(event);
		if (err)
			return err;
		/* A callback of the loop may have set the event meanwhile. */
		if (event->set)
			return 0;
		if (!event->watcher)
			return poll_alone(fd);
	}
	err = coil_waitq_park_for(&event->waiters, &alone, "event");
	if (!err)
		return alone ? poll_alone(fd) : 0;
	if (!event->waiters.head && event->watcher)
		dismiss(event);
	return err;
}

int coil_event_wait(struct coil_event *event)
{
	if (unlikely(!event))
		return -EINVAL;
	if (event->shared)
		return wait_shared(event);
	if (event->set && !coil__pending()) {
		coil__got();
		return 0;
	}
	return coil_waitq_park_for(&event->waiters, NULL, "event");
}

static int write_one(int fd, bool owned)
{
	const uint64_t one = 1;

	/*
	 * An eventfd of the caller's may be a blocking one.  If its counter is full, the
	 * event is already set, and a write would block.
	 */
	if (!owned && !event_is_ready(fd, POLLOUT))
		return event_is_ready(fd, POLLIN) ? 0 : -EBADF;
	if (write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		return -errno;
	return 0;
}

/*
 * A waiter on another thread may free the event as soon as the eventfd is written to.  So
 * the event is read before the write, and after it only on the event's own thread.
 */
static int set_shared(struct coil_event *event)
{
	bool owned = event->owned;
	int fd = event->fd, err;
	bool here = is_here(publish(event));

	err = write_one(fd, owned);
	if (err || !here)
		return err;
	event->set = true;
	wake_all(event, false);
	if (!event->waiters.head && event->watcher)
		dismiss(event);
	return 0;
}

int coil_event_set(struct coil_event *event)
{
	if (unlikely(!event))
		return -EINVAL;
	if (event->shared)
		return set_shared(event);
	coil_waitq_unpark_all(&event->waiters);
	if (event->waiters.head)
		return -EXDEV;
	event->set = true;
	return 0;
}

/* Reads without blocking, although an eventfd of the caller's may be a blocking one. */
static ssize_t event_take(int fd, uint64_t *count)
{
	struct iovec iov = { count, sizeof(*count) };
	ssize_t n = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);

	if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
		n = event_is_ready(fd, POLLIN) ? read(fd, count, sizeof(*count)) : 0;
	return n;
}

int coil_event_clear(struct coil_event *event)
{
	uint64_t count = 0;
	ssize_t n;

	if (unlikely(!event))
		return -EINVAL;
	if (!event->shared) {
		event->set = false;
		return 0;
	}
	/* Each read of an EFD_SEMAPHORE eventfd takes only one off its counter. */
	do {
		n = event_take(event->fd, &count);
	} while (n > 0 && count == 1);
	return n < 0 && errno != EAGAIN ? -errno : 0;
}

bool coil_event_is_set(const struct coil_event *event)
{
	if (unlikely(!event))
		return false;
	return event->shared ? event_is_ready(event->fd, POLLIN) : event->set;
}

static int share(struct coil_event *event, int fd, bool owned)
{
	event->shared = true;
	event->owned = owned;
	event->fd = fd;
	return 0;
}

static bool is_zero(const struct coil_event *event)
{
	return !event->set && !event->shared && !event->waiters.head;
}

int coil_event_open(struct coil_event *event)
{
	int fd;

	if (unlikely(!event))
		return -EINVAL;
	if (!is_zero(event))
		return -EINVAL;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return fd < 0 ? -errno : share(event, fd, true);
}

/*
 * Returns 0 if fd is an eventfd.  A real write would show that, but even a write of zero
 * wakes the waiters of the eventfd, in this process or another.  So the function reads
 * the name of fd in /proc.  If there is no /proc, it writes from a bad address.  An
 * eventfd then fails with EFAULT before it wakes a waiter.  Among the files without a
 * file type, only an eventfd reads the eight bytes and so fails with EFAULT.
 */
static int check_eventfd(int fd)
{
	static const char eventfd_name[] = "anon_inode:[eventfd]";
	char path[sizeof("/proc/self/fd/") + 3 * sizeof(fd)], name[sizeof(eventfd_name)];
	const void *volatile nowhere = NULL;
	struct stat status;
	ssize_t n;

	if (fstat(fd, &status))
		return -errno;
	if (status.st_mode & S_IFMT)
		return -EINVAL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, name, sizeof(name));
	if (n >= 0)
		return (size_t)n == sizeof(name) - 1 && !memcmp(name, eventfd_name, (size_t)n) ?
		       0 : -EINVAL;
	return write(fd, nowhere, sizeof(uint64_t)) < 0 && errno == EFAULT ? 0 : -EINVAL;
}

int coil_event_from_fd(struct coil_event *event, int fd)
{
	int err;

	if (unlikely(!event))
		return -EINVAL;
	if (!is_zero(event))
		return -EINVAL;
	err = check_eventfd(fd);
	return err ? err : share(event, fd, false);
}

int coil_event_fd(const struct coil_event *event)
{
	return event && event->shared ? event->fd : -EINVAL;
}

int coil_event_close(struct coil_event *event)
{
	struct coil_event old;

	if (!event || !event->shared)
		return -EINVAL;
	old = *event;
	if (!claim(event))
		return -EBUSY;
	if (event->watcher)
		return -EBUSY;
	*event = (struct coil_event){0};
	return old.owned ? coil_close(old.fd) : 0;
}
