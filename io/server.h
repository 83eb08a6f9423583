/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_SERVER_H
#define COIL_IO_SERVER_H

/*
 * A server inside: server.c has the acceptor and the calls, server_listen.c how the
 * listeners begin and end, server_accept.c the accepts, server_connection.c the
 * handlers' tasks.
 */

#include "core/task/elastic.h"
#include "core/backend/op.h"
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
	struct close_guard guard;	/* the program may close the fd */
	struct coil_server *server;
	int fd;			/* -1: it is gone */
	int error;		/* that the last accept ended with */
	unsigned failures;
	bool armed;
	bool one_shot;
	bool is_tcp;
	bool drops_syns;	/* no more handshakes begin */
	int min_ttl, min_hops;	/* what it demanded before that */
};

/* A connection that was accepted, and its peer. */
struct arrival {
	int fd;
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} peer;
};

/* In the frame of its task. */
struct connection {
	struct connection *next;
	struct connection **link;
	struct coil_stream *stream;
	struct elastic idle;
	int64_t idle_ns;
	uint64_t acked;			/* bytes that the peer had taken at the last look */
};

/* Connections by address: a table with open addressing. */
struct peers {
	struct peer *table;
	size_t capacity;		/* 0 or a power of two */
	size_t count;
	uint64_t seed;
};

struct coil_server {
	struct coil_server *next;	/* of the thread's */
	struct coil_loop *loop;
	struct coil_task *acceptor;
	unsigned refs;			/* the acceptor's, and one a call inside */
	int (*handler)(struct coil_stream *stream, void *arg);
	void *arg;
	struct coil_server_options options;

	struct coil_group group;
	size_t connections;		/* tasks in it, but for the last guard of one */
	size_t running;			/* those that are in the handler */
	struct connection *newest;	/* ... latest first */
	struct coil_waitq room;		/* tasks that wait to be so */
	int64_t round_trip;		/* the longest of those accepted last of all */
	struct arrival *arrivals;	/* those that came: a ring */
	size_t capacity;
	size_t head;
	size_t count;
	size_t started;			/* tasks that will take the first so many */

	struct peers peers;
	int reserve;			/* an fd for when there is none; -1: it is in use */
	bool sent_away;			/* by it, since fds ran out the last time */

	bool news;			/* for the acceptor */
	bool full;			/* it waits for a connection to end */
	bool paused;
	bool stopping;
	bool stopped;
	bool closing;
	bool closed;
	bool listed;			/* a handle that calls may use */
	int error;			/* why there is no listener left */
	int lost;			/* why one that came was closed */
	int64_t resume_at;
	int64_t grace_end;
	int trouble;			/* the last, and when */
	int64_t trouble_at;
	struct coil_waitq work;		/* the acceptor */
	struct coil_waitq forever;
	struct coil_waitq stop;
	struct coil_waitq close;

	bool is_shared;			/* the socket was handed over, and others have it */
	bool is_file;			/* file is ours to remove, if it is still this */
	int folder;			/* where it is, or -1 */
	dev_t device;
	ino_t inode;
	char file[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
	size_t listener_count;
	struct listener listeners[LISTENERS];
};

/* There is something for the acceptor to see. */
void coil__server_wake(struct coil_server *server);

/* Parks for what is sure to come: no request is heard. */
void coil__server_wait(struct coil_waitq *waitq, const char *what);

/* Listens on address: 0 or a negative errno. */
int coil__server_listen(struct coil_server *server, const char *address);

/*
 * The end of listening, in this order.  refuse ends the accepts, and the kernel lets
 * nobody new into the queues of the server's own sockets.  drain accepts what is in
 * the queues, at most max, and returns how many.  settle_time is how long handshakes
 * that are under way may take, with the longest round trip of the connections; 0: there
 * is nothing to wait for.  unlisten closes.
 */
void coil__server_refuse(struct coil_server *server);
size_t coil__server_drain(struct coil_server *server, size_t max);
int64_t coil__server_settle_time(const struct coil_server *server, int64_t round_trip);
void coil__server_unlisten(struct coil_server *server);

/* The program has closed the socket, or is closing it: the number is not the server's. */
bool coil__listener_is_taken(const struct listener *listener);
void coil__listener_disarm(struct listener *listener);
void coil__listener_close(struct listener *listener, bool is_ours);

/* Looks at how the last accepts ended, and begins others where there is room. */
void coil__server_judge(struct coil_server *server);
void coil__server_accept(struct coil_server *server);

/* A connection came. */
void coil__server_push(struct coil_server *server, int fd);

/* What the task of a connection runs; arg is the server. */
int coil__server_serve(void *arg);

/* The longest round trip of the latest connections, and that of one; or 0. */
int64_t coil__server_round_trip(const struct coil_server *server);
int64_t coil__round_trip(int fd);

/* How many bytes the peer of a TCP socket has taken. */
uint64_t coil__bytes_acked(int fd);

/* Ends the input and output of every connection, whatever its handler does. */
void coil__server_abort(struct coil_server *server);

/*
 * Counts a connection of that peer: false if there are as many as may be.  forget
 * takes it off again.
 */
bool coil__server_admit(struct coil_server *server, const struct arrival *arrival);
void coil__server_forget(struct coil_server *server, const struct arrival *arrival);

/* Gives the reserve back to the program, has it again if there is one fd more. */
void coil__server_release(struct coil_server *server);
bool coil__server_regain(struct coil_server *server);

/* Sets the server's options on a TCP socket. */
void coil__server_set_options(const struct coil_server *server, int fd);

/* Closes the connections of those who wait. */
void coil__server_send_away(struct coil_server *server);

/* How many came for whom there is no task yet; the first to have come. */
size_t coil__server_waiting(const struct coil_server *server);
struct arrival coil__server_take(struct coil_server *server);

/* Whether there may be one connection more than so many. */
bool coil__server_has_room(const struct coil_server *server, size_t connections);

/* Fds or memory ran out: a break, and a word to the error handler. */
void coil__server_pause(struct coil_server *server, int err);

#endif
