/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_SERVER_H
#define COIL_IO_SERVER_H

/*
 * The inside of a server:
 *
 * - server.c: the acceptor and the public calls
 * - server_listen.c: how the listeners begin and end
 * - server_accept.c: the accepts and their errors
 * - server_arrivals.c: accepted connections without a task
 * - server_connection.c: the tasks of the handlers
 * - server_peers.c: connections by address, socket options, the fd in reserve
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
	int fd;			/* -1: closed */
	int error;		/* of the last accept */
	unsigned failures;
	bool armed;
	bool one_shot;
	bool is_tcp;
	bool drops_syns;	/* no new handshake begins */
	int min_ttl, min_hops;	/* the socket's options before that */
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

/* A connection with a handler.  Lies on the stack of its task. */
struct connection {
	struct connection *next;
	struct connection **link;
	struct coil_stream *stream;
	struct elastic idle;
	int64_t idle_ns;
	uint64_t acked;			/* bytes acknowledged at the last check */
};

/* Connections by address: a table with open addressing. */
struct peers {
	struct peer *table;
	size_t capacity;		/* 0 or a power of two */
	size_t count;
	uint64_t seed;
};

struct coil_server {
	struct coil_server *next;	/* in the list of the thread */
	struct coil_loop *loop;
	struct coil_task *acceptor;
	unsigned refs;			/* the acceptor's, and one for each parked call */
	int (*handler)(struct coil_stream *stream, void *arg);
	void *arg;
	struct coil_server_options options;

	struct coil_group group;
	size_t connections;		/* tasks in it that are not about to end */
	size_t running;			/* of these, tasks past connection_enter() */
	struct connection *newest;	/* connections with a handler, latest first */
	struct coil_waitq room;		/* tasks that wait in connection_enter() */
	int64_t round_trip;		/* ns; the longest of connections accepted at the stop */
	struct arrival *arrivals;	/* ring of accepted connections */
	size_t capacity;
	size_t head;
	size_t count;
	size_t started;			/* tasks that will each take an arrival */

	struct peers peers;
	int reserve;			/* an fd for when none is left; -1: released */
	bool sent_away;			/* closed a connection since fds last ran out */

	bool news;			/* the acceptor has something to do */
	bool full;			/* the acceptor waits for a connection to end */
	bool paused;
	bool stopping;
	bool stopped;
	bool closing;
	bool closed;
	bool listed;			/* in the list of the thread: calls find it */
	int error;			/* why no listener is left */
	int lost;			/* why an accepted connection was closed */
	int64_t resume_at;
	int64_t grace_end;
	int trouble;			/* the last error, and when it occurred */
	int64_t trouble_at;
	struct coil_waitq work;		/* the acceptor waits here */
	struct coil_waitq forever;	/* calls of coil_serve_forever() */
	struct coil_waitq stop;		/* calls that wait for stopped */
	struct coil_waitq close;	/* calls that wait for closed */

	bool is_shared;			/* inherited: others may have the socket too */
	bool is_file;			/* file is to be removed if device, inode match */
	int folder;			/* fd of the file's folder, or -1 */
	dev_t device;
	ino_t inode;
	char file[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
	size_t listener_count;
	struct listener listeners[LISTENERS];
};

/* Wakes the acceptor, which has something to do. */
void coil__server_wake(struct coil_server *server);

/* Parks until waitq is woken, which must be certain: a cancellation has no effect. */
void coil__server_wait(struct coil_waitq *waitq, const char *what);

/* Listens on address.  Returns 0 or a negative errno. */
int coil__server_listen(struct coil_server *server, const char *address);

/*
 * The end of listening, in this order:
 *
 * - refuse ends the accepts.  It also makes the kernel refuse new connections to the
 *   server's own sockets.
 * - drain accepts at most max connections from the queues.  Returns their number.
 * - settle_time returns how many ns the handshakes under way may take.  round_trip is
 *   the longest of the connections.  Returns 0 if there is nothing to wait for.
 * - unlisten closes the listeners.
 */
void coil__server_refuse(struct coil_server *server);
size_t coil__server_drain(struct coil_server *server, size_t max);
int64_t coil__server_settle_time(const struct coil_server *server, int64_t round_trip);
void coil__server_unlisten(struct coil_server *server);

/* True if the program has closed the fd or is closing it: the server must not use it. */
bool coil__listener_is_taken(const struct listener *listener);

/* disarm cancels the accept; close forgets the fd, and closes it if is_ours. */
void coil__listener_disarm(struct listener *listener);
void coil__listener_close(struct listener *listener, bool is_ours);

/* judge handles the errors of the last accepts; accept begins others if there is room. */
void coil__server_judge(struct coil_server *server);
void coil__server_accept(struct coil_server *server);

/* Adds an accepted connection to the ring, or closes it.  Takes the fd. */
void coil__server_push(struct coil_server *server, int fd);

/* The function of a connection's task; arg is the server. */
int coil__server_serve(void *arg);

/* Return in ns the longest round trip of the latest connections, or that of one; or 0. */
int64_t coil__server_round_trip(const struct coil_server *server);
int64_t coil__round_trip(int fd);

/* Returns how many bytes the peer of a TCP socket has acknowledged. */
uint64_t coil__bytes_acked(int fd);

/* Cancels every handler, and shuts down the input and output of every connection. */
void coil__server_abort(struct coil_server *server);

/*
 * admit counts a connection of that peer.  Returns false if the peer already has the
 * maximum, or if there is no memory.  forget removes it from the count.
 */
bool coil__server_admit(struct coil_server *server, const struct arrival *arrival);
void coil__server_forget(struct coil_server *server, const struct arrival *arrival);

/* release closes the fd in reserve.  regain opens one, if a further fd is left then. */
void coil__server_release(struct coil_server *server);
bool coil__server_regain(struct coil_server *server);

/* Sets the server's options on a TCP socket. */
void coil__server_set_options(const struct coil_server *server, int fd);

/* Closes the connections that have no task. */
void coil__server_send_away(struct coil_server *server);

/* waiting counts the arrivals without a task; take removes and returns the first. */
size_t coil__server_waiting(const struct coil_server *server);
struct arrival coil__server_take(struct coil_server *server);

/* True if connections is below the maximum, or if there is no maximum. */
bool coil__server_has_room(const struct coil_server *server, size_t connections);

/* Stops accepting for a short time, and reports err. */
void coil__server_pause(struct coil_server *server, int err);

#endif
