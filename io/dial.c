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

/* How long an attempt has before the next begins: RFC 8305, section 5. */
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
 * Happy eyeballs.  Each attempt is a task; the next one begins when one failed,
 * or when the last to begin has had its time.  The winner has the others
 * cancelled, and the group's end waits until they have closed their sockets.
 */
struct race {
	struct coil_group group;
	struct coil_waitq news;
	const struct addrinfo *next;
	int fd;			/* the winner's, or -1 */
	int error;		/* the last that failed had */
};

static int attempt(void *arg)
{
	struct race *race = arg;
	const struct addrinfo *ai = race->next;
	int fd;

	race->next = ai->ai_next;
	fd = connect_to(ai);
	if (fd >= 0 && race->fd >= 0) {
		coil_close(fd);
	} else if (fd >= 0) {
		race->fd = fd;
		coil_group_cancel(&race->group);
	} else {
		race->error = fd;
		coil_waitq_unpark(&race->news);
	}
	return 0;
}

/* 0: it is time for the next. */
static int stagger(struct race *race)
{
	struct coil_timeout timeout = {0};
	int err = coil_timeout_begin(&timeout, STAGGER);
	bool expired;

	if (err)
		return err;
	err = coil_waitq_park(&race->news);
	expired = coil_timeout_end(&timeout) == -ETIMEDOUT;
	return expired ? 0 : err;
}

static int run_race(const struct addrinfo *list)
{
	struct race race = { .next = list, .fd = -1 };
	int end, err = 0;

	while (!err && race.next) {
		err = coil_group_create_task(&race.group, attempt, &race);
		if (!err)
			err = stagger(&race);
	}
	end = coil_group_wait(&race.group);
	if (race.fd >= 0)
		return race.fd;
	if (end || err)
		return end ? end : err;
	return race.error;
}

/* The families take turns, the first address keeping its place. */
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
