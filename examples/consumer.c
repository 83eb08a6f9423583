/* SPDX-License-Identifier: MIT */
/*
 * The consuming side of producer_consumer.  A task for each connection receives into
 * a chunk of memory and puts the items, by reference, into one queue.  While the queue
 * is full the task does not receive, the socket fills, and the producer has to wait.
 * Consumers take from the queue.  A second task for each connection sends
 * acknowledgements.  Each one covers all items that were consumed since the last.
 *
 * These checks prove that no item is lost, duplicated or out of order: on a connection
 * each number must follow its predecessor; each item is marked when it is consumed, in
 * a window over its producer's items; and the items that one consumer takes from one
 * producer must ascend.
 */
#include "producer_consumer.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* The minimum number of items that one consumer may be behind the others. */
enum { WINDOW_MIN = 4096 };

/* The maximum number of producers without a connection to remember: each costs memory. */
enum { GONE_MAX = 100 };

struct consumed consumed;

static struct coil_queue queue;
static struct coil_lock entrance;	/* to the queue: one connection at a time */
static struct coil_event finished;
static size_t window;			/* a power of two */

struct hello {
	unsigned number, producers;
	unsigned long long items, from;
};

/*
 * A producer.  It may lose its connection and come back before the end of the old
 * connection is detected.  Its items are counted in turns: number / producers.
 */
struct source {
	struct source *next;
	struct hello hello;
	unsigned connections;
	unsigned long long arrived;	/* all turns below have entered the queue */
	unsigned long long consumed;	/* all turns below were consumed */
	struct coil_event moved;	/* consumed grew, or a connection ended */
	unsigned long long *last;	/* each consumer's last turn, plus 1 */
	bool *done;			/* consumed turns from `consumed` on, by window */
};

static struct source *sources;

/* Received bytes, kept until the last item in them is consumed. */
struct chunk {
	size_t users;
	struct source *source;
	unsigned char bytes[BUFFER];
};

struct item {
	struct chunk *chunk;
	unsigned at, size;
};

struct connection {
	unsigned number;
	int fd;
	struct coil_group group;	/* of the acknowledging task */
	struct source *source;		/* set by the hello */
	unsigned long long next;	/* the next item expected */
	struct chunk *chunk;
	size_t start, end;		/* of the received bytes not parsed yet */
	bool ended;
	unsigned long long acked;	/* turns */
	unsigned char ack[PREFIX + ACK];
	size_t unsent;			/* bytes at the end of ack */
};

struct consumer {
	size_t index;
	int64_t until;			/* busy until then */
};

static void release(struct chunk *chunk)
{
	if (chunk && --chunk->users == 0)
		free(chunk);
}

static void drop(void *item, void *arg)
{
	release(((struct item *)item)->chunk);
}

/* Reports a protocol error.  The connection is then closed. */
static int __attribute__((format(printf, 2, 3))) bad(struct connection *c, const char *format,
						  ...)
{
	char what[128];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	complain("connection %u: %s: closed", c->number, what);
	return -EPROTO;
}

static unsigned long long item_of(const struct source *source,
				  unsigned long long turn)
{
	return source->hello.number + turn * source->hello.producers;
}

/*
 * Consumers.
 */

static void check_finished(void)
{
	if (consumed.goal && consumed.skipped + consumed.items >= consumed.goal)
		coil_event_set(&finished);
}

static void finish(struct consumer *self, const struct item *item)
{
	struct source *source = item->chunk->source;
	unsigned long long number = get64(item->chunk->bytes + item->at);
	unsigned long long turn = number / source->hello.producers;

	if (turn < source->last[self->index])
		consumed.reordered++;
	source->last[self->index] = turn + 1;
	if (turn < source->consumed || source->done[turn % window]) {
		consumed.duplicated++;
		return;
	}
	consumed.items++;
	consumed.bytes += item->size;
	source->done[turn % window] = true;
	while (source->done[source->consumed % window])
		source->done[source->consumed++ % window] = false;
	coil_event_set(&source->moved);
	if (!options.quiet && source->hello.items <= LINES_MAX)
		say("consumed %llu", number);
	check_finished();
}

static int consume(void *arg)
{
	struct consumer *self = arg;
	struct item item;
	int err = 0;

	while (!err) {
		err = coil_queue_get(&queue, &item);
		if (err)
			break;
		if (options.work)
			err = spend(&self->until, options.work);
		if (!err)
			finish(self, &item);
		release(item.chunk);
	}
	return err;
}

/*
 * Acknowledgements.
 */

/* After a partial send, continues with the rest of the same acknowledgement. */
static int send_ack(struct connection *c)
{
	struct source *source = c->source;
	ssize_t n;
	size_t done;

	if (!c->unsent) {
		c->acked = source->consumed;
		put32(c->ack, ACK);
		put64(c->ack + PREFIX, item_of(source, c->acked));
		c->unsent = sizeof(c->ack);
	}
	n = coil_send_all(c->fd, c->ack + sizeof(c->ack) - c->unsent, c->unsent,
			  0, &done);
	c->unsent -= done;
	return n < 0 ? (int)n : 0;
}

/* When cancelled, still sends what the consumers have reached by then. */
static int acknowledge(void *arg)
{
	struct connection *c = arg;
	struct source *source = c->source;
	int err = send_ack(c);

	while (!err && !(c->ended && c->acked == source->arrived)) {
		if (c->acked != source->consumed) {
			err = send_ack(c);
		} else {
			coil_event_clear(&source->moved);
			err = coil_event_wait(&source->moved);
		}
	}
	if (err == -ECANCELED) {
		COIL_SHIELD(COIL_SECOND / 10) {
			while ((c->unsent || c->acked != source->consumed) &&
			       !send_ack(c))
				;
		}
	}
	return err;
}

/*
 * Receiving.
 */

/*
 * A producer that starts in the middle (from is not 0) is the known one with the same
 * hello.  One that starts at 0 is the known one only if that is unfinished and has no
 * connection.  Otherwise it is new.
 */
static struct source *find_source(const struct hello *hello)
{
	struct source *source;

	for (source = sources; source; source = source->next) {
		const struct hello *known = &source->hello;

		if (known->number != hello->number ||
		    known->producers != hello->producers ||
		    known->items != hello->items)
			continue;
		if (hello->from)
			break;
		if (!source->connections &&
		    item_of(source, source->arrived) < known->items)
			break;
	}
	return source;
}

static void free_source(struct source *source)
{
	free(source->last);
	free(source->done);
	free(source);
}

static struct source *new_source(const struct hello *hello)
{
	struct source *source = calloc(1, sizeof(*source));

	if (!source)
		return NULL;
	source->hello = *hello;
	source->arrived = first_item(hello->from, hello->number,
				     hello->producers) / hello->producers;
	source->consumed = source->arrived;
	source->last = calloc(options.consumers, sizeof(*source->last));
	source->done = calloc(window, sizeof(*source->done));
	if (!source->last || !source->done) {
		free_source(source);
		return NULL;
	}
	source->next = sources;
	sources = source;
	consumed.skipped += source->arrived;
	return source;
}

static void free_sources(void)
{
	while (sources) {
		struct source *source = sources;

		sources = source->next;
		free_source(source);
	}
}

/* A producer without a connection and without items in the queue can be forgotten. */
static bool is_gone(const struct source *source)
{
	return !source->connections && source->consumed == source->arrived;
}

/* A client may claim any producer's number, so the oldest entries are forgotten. */
static void forget_sources(void)
{
	unsigned gone = 0;

	for (struct source **link = &sources; *link; ) {
		struct source *source = *link;

		if (is_gone(source) && ++gone > GONE_MAX) {
			*link = source->next;
			free_source(source);
		} else {
			link = &source->next;
		}
	}
}

static int start_source(struct connection *c, const struct hello *hello)
{
	struct source *source = find_source(hello);

	if (!source)
		source = new_source(hello);
	if (!source)
		return -ENOMEM;
	c->next = first_item(hello->from, hello->number, hello->producers);
	if (c->next > item_of(source, source->arrived))
		return bad(c, "it resumes at item %llu, but %llu has not come",
			   c->next, item_of(source, source->arrived));
	source->connections++;
	c->source = c->chunk->source = source;
	if (!consumed.goal)
		consumed.goal = hello->items;
	if (!consumed.started)
		consumed.started = coil_now();
	check_finished();
	return coil_group_create_task(&c->group, acknowledge, c);
}

static int take_hello(struct connection *c, const unsigned char *body,
		      unsigned size)
{
	struct hello hello;

	if (size != HELLO || get32(body) != MAGIC)
		return bad(c, "its first frame, of %u bytes, is no hello",
			   size);
	hello.number = get32(body + 4);
	hello.producers = get32(body + 8);
	hello.items = get64(body + 12);
	hello.from = get64(body + 20);
	if (hello.number >= hello.producers || hello.from > hello.items ||
	    hello.items > INT64_MAX)
		return bad(c, "producer %u of %u, items %llu to %llu: not valid",
			   hello.number, hello.producers, hello.from,
			   hello.items);
	return start_source(c, &hello);
}

static int check_item(struct connection *c, const unsigned char *body,
		      unsigned size)
{
	const unsigned long long items = c->source->hello.items;
	unsigned long long number;

	if (size < ITEM_MIN)
		return bad(c, "a frame of %u bytes is too short for an item",
			   size);
	number = get64(body);
	if (number >= items)
		return bad(c, "item %llu of only %llu", number, items);
	if (number != c->next)
		return bad(c, "item %llu came where %llu was expected", number,
			   c->next);
	if (size > 8 && (body[8] != (unsigned char)number ||
			 memcmp(body + 8, body + 9, size - 9)))
		return bad(c, "item %llu is filled with something else",
			   number);
	return 0;
}

static int take_item(struct connection *c, unsigned at, unsigned size)
{
	struct item item = { c->chunk, at, size };
	struct source *source = c->source;
	unsigned long long turn = c->next / source->hello.producers;
	int err = check_item(c, c->chunk->bytes + at, size);

	if (err)
		return err;
	c->next += source->hello.producers;
	/* It came on an earlier connection. */
	if (turn < source->arrived) {
		consumed.repeated++;
		return 0;
	}
	while (!err && turn - source->consumed >= window) {
		coil_event_clear(&source->moved);
		err = coil_event_wait(&source->moved);
	}
	if (err)
		return err;
	c->chunk->users++;
	err = coil_queue_put(&queue, &item);
	if (err)
		release(c->chunk);
	else
		source->arrived++;
	return err;
}

/* Takes all complete frames. */
static int take_frames(struct connection *c)
{
	int err = 0;

	while (!err && c->end - c->start >= PREFIX) {
		unsigned size = get32(c->chunk->bytes + c->start);
		size_t at = c->start + PREFIX;

		if (size > ITEM_MAX)
			return bad(c, "a frame of %u bytes is too long: "
				   "the maximum is %d", size, ITEM_MAX);
		if (c->end - at < size)
			break;
		c->start = at + size;
		if (c->source)
			err = take_item(c, (unsigned)at, size);
		else
			err = take_hello(c, c->chunk->bytes + at, size);
	}
	return err;
}

/* Ensures that the longest frame fits behind start, in this chunk or a new one. */
static int make_room(struct connection *c)
{
	struct chunk *chunk = c->chunk;
	size_t rest = c->end - c->start;

	if (!chunk || (chunk->users > 1 &&
		       c->start > BUFFER - PREFIX - ITEM_MAX)) {
		chunk = malloc(sizeof(*chunk));
		if (!chunk)
			return -ENOMEM;
		chunk->users = 1;
		chunk->source = c->source;
	} else if (chunk->users > 1) {
		return 0;
	}
	if (rest)
		memmove(chunk->bytes, c->chunk->bytes + c->start, rest);
	c->start = 0;
	c->end = rest;
	if (chunk != c->chunk)
		release(c->chunk);
	c->chunk = chunk;
	return 0;
}

static int receive(struct connection *c)
{
	int err;

	for (;;) {
		ssize_t n;

		err = make_room(c);
		if (err)
			return err;
		n = coil_recv(c->fd, c->chunk->bytes + c->end,
			      BUFFER - c->end, 0);
		if (n < 0)
			return (int)n;
		if (!n)
			break;
		c->end += (size_t)n;
		/* A lock goes to the longest waiter, so each connection gets its turn. */
		err = coil_lock_acquire(&entrance);
		if (err)
			return err;
		err = take_frames(c);
		coil_lock_release(&entrance);
		if (err)
			return err;
	}
	if (c->start != c->end)
		return bad(c, "its end came inside a frame");
	return c->source ? 0 : bad(c, "it ended before its first frame");
}

/*
 * Connections.
 */

static void report(const struct connection *c, int err)
{
	const struct source *source = c->source;
	unsigned long long next;

	if (err == -ECANCELED || err == -EPROTO)
		return;
	if (!source) {
		complain("connection %u: %s", c->number, strerror(-err));
		return;
	}
	next = item_of(source, source->arrived);
	/* A producer in this process reports its own failure. */
	if (next < source->hello.items && !options.produces)
		complain("connection %u: producer %u is gone (%s), it may "
			 "resume from item %llu", c->number,
			 source->hello.number, err ? strerror(-err) :
			 "it closed the connection", next);
}

/* Always returns 0: the failure of one connection must not end the others. */
static int serve(void *arg)
{
	struct connection *c = arg;
	int err = receive(c), acks;

	c->ended = true;
	if (c->source)
		coil_event_set(&c->source->moved);
	if (err)
		coil_group_cancel(&c->group);
	acks = coil_group_wait(&c->group);
	if (acks && acks != -ECANCELED)
		err = acks;
	report(c, err);
	if (c->source)
		c->source->connections--;
	forget_sources();
	coil_close(c->fd);
	release(c->chunk);
	free(c);
	return 0;
}

struct door {
	int fd;
	struct coil_group group;
};

static int accept_all(void *arg)
{
	struct door *door = arg;
	unsigned count = 0;
	int err = 0;

	while (!err) {
		int fd = coil_accept(door->fd, NULL, NULL);
		struct connection *c;

		if (fd == -ECANCELED)
			break;
		c = fd < 0 ? NULL : calloc(1, sizeof(*c));
		if (!c) {
			complain("accept: %s", strerror(fd < 0 ? -fd : ENOMEM));
			if (fd >= 0)
				coil_close(fd);
			err = coil_sleep(COIL_SECOND / 10);
			continue;
		}
		c->fd = fd;
		c->number = ++count;
		err = coil_group_create_task(&door->group, serve, c);
		if (err) {
			coil_close(fd);
			free(c);
		}
	}
	return err;
}

static int consume_in(struct door *door, struct consumer *consumers)
{
	int err = coil_group_create_task(&door->group, accept_all, door), left;

	for (size_t i = 0; i < options.consumers && !err; i++) {
		struct consumer *self = &consumers[i];

		self->index = i;
		err = coil_group_create_task(&door->group, consume, self);
	}
	if (!err)
		err = coil_event_wait(&finished);
	consumed.ended = coil_now();
	if (!consumed.started)
		consumed.started = consumed.ended;
	coil_group_cancel(&door->group);
	left = coil_group_wait(&door->group);
	return left ? left : err;
}

int consume_all(void *listener)
{
	struct door door = { .fd = *(int *)listener };
	struct consumer *consumers;
	int err;

	consumers = calloc(options.consumers, sizeof(*consumers));
	err = consumers ? 0 : -ENOMEM;
	for (window = WINDOW_MIN; window < 2 * options.queue; window *= 2)
		;
	if (!err)
		err = coil_queue_init(&queue, sizeof(struct item),
				      options.queue);
	if (!err) {
		coil_queue_set_drop(&queue, drop, NULL);
		err = consume_in(&door, consumers);
		coil_queue_fini(&queue);
	}
	free_sources();
	free(consumers);
	return err;
}
