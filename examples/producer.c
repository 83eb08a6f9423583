/* SPDX-License-Identifier: MIT */
/*
 * The producing side of producer_consumer.  A producer is two tasks on one connection.
 * One sends items and parks when the socket takes no more: that is all the
 * back-pressure there is.  The other reads the acknowledgements.
 */
#include "producer_consumer.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct produced produced;

struct producer {
	unsigned number;
	int fd;
	unsigned long long next;	/* the item to send next */
	unsigned long long acked;	/* the first that is not acknowledged */
	size_t used;			/* bytes of buffer, not sent yet */
	unsigned char *buffer;
};

static int flush(struct producer *self)
{
	unsigned long long on_the_way = 0;
	ssize_t n;

	if (self->acked < self->next)
		on_the_way = (self->next - self->acked) / options.producers;
	if (on_the_way > produced.most)
		produced.most = on_the_way;
	n = coil_send_all(self->fd, self->buffer, self->used, 0, NULL);
	self->used = 0;
	return n < 0 ? (int)n : 0;
}

static void add_hello(struct producer *self)
{
	unsigned char *to = self->buffer;

	put32(to, HELLO);
	put32(to + 4, MAGIC);
	put32(to + 8, self->number);
	put32(to + 12, (unsigned)options.producers);
	put64(to + 16, options.items);
	put64(to + 24, options.from);
	self->used = PREFIX + HELLO;
}

static void add_item(struct producer *self)
{
	unsigned char *to = self->buffer + self->used;

	put32(to, (unsigned)options.size);
	put64(to + PREFIX, self->next);
	memset(to + PREFIX + 8, (unsigned char)self->next, options.size - 8);
	self->used += PREFIX + options.size;
	self->next += options.producers;
	produced.items++;
}

/* Small items share a buffer.  With an interval, it is sent before each wait. */
static int send_items(struct producer *self)
{
	bool lines = !options.quiet && options.items <= LINES_MAX;
	int64_t until = 0;
	int err = 0;

	add_hello(self);
	while (self->next < options.items) {
		if (self->used + PREFIX + options.size > BUFFER)
			err = flush(self);
		if (err)
			return err;
		if (lines)
			say("produced %llu", self->next);
		add_item(self);
		if (!options.interval || self->next >= options.items)
			continue;
		err = flush(self);
		if (!err)
			err = spend(&until, options.interval);
		if (err)
			return err;
	}
	return flush(self);
}

/* The number may exceed what was sent, if this producer resumed too early. */
static int take_ack(struct producer *self, const unsigned char *frame)
{
	unsigned long long number = get64(frame + PREFIX);

	if (get32(frame) != ACK ||
	    number >= options.items + options.producers ||
	    number % options.producers != self->number)
		return -EPROTO;
	if (number <= self->acked)
		return 0;
	produced.acknowledged += (number - self->acked) / options.producers;
	produced.ended = coil_now();
	self->acked = number;
	return 0;
}

/* The end of the stream is an error, unless all items are acknowledged by then. */
static int read_acks(void *arg)
{
	struct producer *self = arg;
	unsigned char frames[64 * (PREFIX + ACK)];
	size_t have = 0, whole;
	int err = 0;

	while (self->acked < options.items && !err) {
		ssize_t n = coil_recv(self->fd, frames + have,
				      sizeof(frames) - have, 0);

		if (n <= 0)
			return n ? (int)n : -EPIPE;
		have += (size_t)n;
		whole = have / (PREFIX + ACK) * (PREFIX + ACK);
		have -= whole;
		/* Each acknowledgement includes all earlier ones. */
		if (whole)
			err = take_ack(self, frames + whole - (PREFIX + ACK));
		memmove(frames, frames + whole, have);
	}
	return err;
}

/* Acknowledgements may still arrive after the sending has ended, even by an error. */
static int exchange(struct producer *self)
{
	struct coil_group group = {0};
	int err, acks;

	coil_group_create_task(&group, read_acks, self);
	err = send_items(self);
	coil_shutdown(self->fd, SHUT_WR);
	acks = coil_group_wait(&group);
	return self->acked >= options.items ? 0 : acks ? acks : err;
}

static const char *because(int err)
{
	switch (err) {
	case -EPIPE:
		return "it closed the connection";
	case -EPROTO:
		return "it sent something other than an acknowledgement";
	default:
		return strerror(-err);
	}
}

/*
 * Waits up to two seconds for a consumer that was started at the same moment.
 *
 * Items on the way wait in the buffers of the sockets, which the kernel would let grow
 * to megabytes.  A smaller buffer holds the producer back earlier and stays in the caches.
 */
static int connect_consumer(void)
{
	int fd = coil_dial(options.address), size = BUFFER;

	for (int i = 0; i < 20 && (fd == -ECONNREFUSED || fd == -ENOENT); i++) {
		int err = coil_sleep(100 * COIL_MILLISECOND);

		fd = err ? err : coil_dial(options.address);
	}
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd;
}

/* The failure of one producer must not end the others, but a bad address is one for all. */
static int produce(void *arg)
{
	struct producer *self = arg;
	int err;

	self->buffer = malloc(BUFFER);
	self->fd = self->buffer ? connect_consumer() : -ENOMEM;
	if (self->fd < 0) {
		if (self->fd != -ECANCELED)
			complain("producer %u: no connection to %s: %s",
				 self->number, options.address,
				 strerror(-self->fd));
	} else {
		err = exchange(self);
		if (err && err != -ECANCELED)
			complain("producer %u: the consumer is gone (%s), "
				 "first unacknowledged item: %llu",
				 self->number, because(err), self->acked);
		coil_close(self->fd);
	}
	free(self->buffer);
	if (self->acked < produced.unacknowledged)
		produced.unacknowledged = self->acked;
	return self->fd == -EINVAL ? -EINVAL : 0;
}

int produce_all(void)
{
	const unsigned n = (unsigned)options.producers;
	struct producer *producers = calloc(n, sizeof(*producers));
	struct coil_group group = {0};
	int err;

	if (!producers)
		return -ENOMEM;
	produced.unacknowledged = options.items;
	produced.started = produced.ended = coil_now();
	for (unsigned i = 0; i < n; i++) {
		struct producer *self = &producers[i];

		self->number = i;
		self->next = first_item(options.from, i, n);
		self->acked = self->next;
		/* There may be fewer items than producers. */
		if (self->next < options.items)
			coil_group_create_task(&group, produce, self);
	}
	err = coil_group_wait(&group);
	free(producers);
	return err;
}
