/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_SERVER_H
#define COIL_IO_SERVER_H

/* A server inside: server.c has the keeper and the calls, server_accept.c the rest. */

#include "core/op.h"
#include "io/address.h"
#include "io/wait.h"
#include <coil/group.h>
#include <coil/server.h>
#include <coil/waitq.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { LISTENERS = 16 };

struct listener {
	struct op op;
	struct steps steps;	/* the program may close the fd */
	struct coil_server *server;
	int fd;			/* -1: it is gone */
	int error;		/* that the last accept ended with */
	unsigned failures;
	bool armed;
	bool one_shot;
};

struct coil_server {
	struct coil_server *next;	/* of the thread's */
	struct coil_loop *loop;
	struct coil_task *keeper;
	unsigned refs;			/* the keeper's, and one a call inside */
	int (*handler)(struct coil_stream *stream, void *arg);
	void *arg;
	struct coil_server_options options;

	struct coil_group group;
	size_t connections;		/* tasks in it, but for the last steps of one */
	int *fds;			/* those that came: a ring */
	size_t capacity;
	size_t head;
	size_t count;
	size_t started;			/* tasks that will take the first so many */

	bool news;			/* for the keeper */
	bool full;			/* it waits for a connection to end */
	bool paused;
	bool stopping;
	bool stopped;
	bool closing;
	bool closed;
	int error;			/* why there is no listener left */
	int lost;			/* why one that came was closed */
	int64_t resume_at;
	int64_t grace_end;
	int trouble;			/* the last, and when */
	int64_t trouble_at;
	struct coil_waitq work;		/* the keeper */
	struct coil_waitq forever;
	struct coil_waitq stop;
	struct coil_waitq close;

	bool is_shared;			/* the socket was handed over, and others have it */
	bool is_file;			/* path is ours to remove, if it is still this */
	dev_t device;
	ino_t inode;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
	size_t listener_count;
	struct listener listeners[LISTENERS];
};

/* There is something for the keeper to see. */
void coil__server_wake(struct coil_server *server);

/* Parks for what is sure to come: no request is heard. */
void coil__server_wait(struct coil_waitq *waitq, const char *what);

/* Listens on address: 0 or a negative errno; and no more, after which some may wait. */
int coil__server_listen(struct coil_server *server, const char *address);
void coil__server_unlisten(struct coil_server *server);

/* Looks at how the last accepts ended, and begins others where there is room. */
void coil__server_judge(struct coil_server *server);
void coil__server_accept(struct coil_server *server);

/* Closes the connections of those who wait. */
void coil__server_send_away(struct coil_server *server);

/* How many came for whom there is no task yet; the first to have come. */
size_t coil__server_waiting(const struct coil_server *server);
int coil__server_take(struct coil_server *server);

/* Whether there may be one connection more than so many. */
bool coil__server_has_room(const struct coil_server *server, size_t connections);

/* Fds or memory ran out: a break, and a word to the error handler. */
void coil__server_pause(struct coil_server *server, int err);

#endif
