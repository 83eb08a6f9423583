/* SPDX-License-Identifier: MIT */
#include <coil/address.h>
#include "io/address.h"
#include "io/wait.h"
#include <coil/group.h>
#include <coil/socket.h>
#include <coil/task.h>
#include <coil/time.h>
#include <coil/timeout.h>
#include <coil/waitq.h>
#include <errno.h>
#include <netinet/tcp.h>

/* The time before the next attempt begins: RFC 8305, section 5. */
#define STAGGER (250 * COIL_MILLISECOND)

static int connect_to(const struct addrinfo *ai)
{
	int fd = coil_socket(ai->ai_family, SOCK_STREAM, 0);
	int err, on = 1;

	if (fd < 0)
		return fd;
	if (ai->ai_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	err = coil_connect(fd, ai->ai_addr, ai->ai_addrlen);
	if (!err)
		return fd;
	coil_close(fd);
	return err;
}

/*
 * Happy eyeballs.  Each attempt is a task.  The next attempt begins as soon as
 * one has failed, or STAGGER after the last one began.
 *
 * A name with many addresses must not take as many sockets.  So if ATTEMPTS_MAX
 * attempts run, the oldest is given up; it has had two seconds by then.
 *
 * The winner cancels the group.  The wait for the group ends when the other
 * tasks have closed their sockets.
 */
enum { ATTEMPTS_MAX = 8 };

struct attempt {
	struct coil_task *task;
	bool given_up;
};

struct race {
	struct coil_group group;
	struct coil_waitq news;
	const struct addrinfo *next;
	struct attempt *attempts[ATTEMPTS_MAX];	/* the running ones, oldest first */
	unsigned running;
	unsigned begun;		/* tasks created and not ended */
	unsigned failed;	/* failures for which no next attempt has begun */
	int fd;			/* the winner's, or -1 */
	int error;		/* of the last attempt that failed */
};

static void dial_enter(struct race *race, struct attempt *attempt)
{
	attempt->task = coil_current_task();
	race->attempts[race->running++] = attempt;
}

static void dial_leave(struct race *race, const struct attempt *attempt)
{
	unsigned i = 0;

	while (race->attempts[i] != attempt)
		i++;
	for (race->running--; i < race->running; i++)
		race->attempts[i] = race->attempts[i + 1];
	race->begun--;
}

static int attempt(void *arg)
{
	struct race *race = arg;
	const struct addrinfo *ai = race->next;
	struct attempt self = {0};
	int fd;

	race->next = ai->ai_next;
	dial_enter(race, &self);
	fd = connect_to(ai);
	dial_leave(race, &self);
	if (fd >= 0 && race->fd >= 0) {
		coil_close(fd);
	} else if (fd >= 0) {
		race->fd = fd;
		coil_group_cancel(&race->group);
	} else if (!self.given_up) {
		race->error = fd;
		race->failed++;
	}
	coil_waitq_unpark(&race->news);
	return 0;
}

/*
 * Parks until the next attempt may begin.  Returns 0 or the cancellation that
 * ended the wait.
 */
static int stagger(struct race *race)
{
	struct coil_timeout timeout = {0};
	bool expired = false;
	int err = coil_timeout_begin(&timeout, STAGGER);

	if (err)
		return err;
	while (!err && !race->failed)
		err = coil_waitq_park(&race->news);
	expired = coil_timeout_end(&timeout) == -ETIMEDOUT;
	if (race->failed)
		race->failed--;
	return expired ? 0 : err;
}

static int dial_make_room(struct race *race)
{
	int err = 0;

	while (!err && race->begun >= ATTEMPTS_MAX) {
		if (race->running) {
			race->attempts[0]->given_up = true;
			coil_cancel(race->attempts[0]->task);
		}
		err = coil_waitq_park(&race->news);
	}
	return err;
}

static int run_race(const struct addrinfo *list)
{
	struct race race = { .next = list, .fd = -1 };
	int end, err = 0;

	for (const struct addrinfo *ai = list; !err && ai; ai = ai->ai_next) {
		err = dial_make_room(&race);
		if (!err)
			err = coil_group_create_task(&race.group, attempt, &race);
		if (err)
			break;
		race.begun++;
		if (ai->ai_next)
			err = stagger(&race);
	}
	end = coil_group_wait(&race.group);
	if (race.fd >= 0)
		return race.fd;
	if (end || err)
		return end ? end : err;
	return race.error;
}

/* Alternates the families; the first address keeps its place. */
static void interleave(struct addrinfo *list)
{
	for (struct addrinfo *ai = list; ai; ai = ai->ai_next) {
		struct addrinfo **at = &ai->ai_next;
		struct addrinfo *other;

		while (*at && (*at)->ai_family == ai->ai_family)
			at = &(*at)->ai_next;
		other = *at;
		if (!other || other == ai->ai_next)
			continue;
		*at = other->ai_next;
		other->ai_next = ai->ai_next;
		ai->ai_next = other;
	}
}

int coil_dial(const char *text)
{
	struct address address;
	int err = coil__address_parse(&address, text, false);

	if (err)
		return err;
	if (address.fd >= 0)
		return -EINVAL;
	err = coil__enter();
	if (!err)
		err = coil__address_resolve(&address);
	if (err)
		return err;
	interleave(address.list);
	if (address.list->ai_next)
		err = run_race(address.list);
	else
		err = connect_to(address.list);
	coil__address_free(&address);
	return err;
}
