/* SPDX-License-Identifier: MIT */
#ifndef PRODUCER_CONSUMER_H
#define PRODUCER_CONSUMER_H

/*
 * The files of producer_consumer share this: the options, the protocol on the socket,
 * and the entry points of the two sides.
 */

#include <coil.h>
#include <endian.h>
#include <stdarg.h>
#include <string.h>

/*
 * The producer sends one hello and then items.  The consumer answers with
 * acknowledgements.  Each is a frame: its length in four bytes, and then
 *
 *	hello	MAGIC[4] producer[4] producers[4] items[8] from[8]
 *	item	number[8], and filling: the last byte of the number, repeated
 *	ack	number[8]: all of this producer's items below it were consumed
 *
 * with numbers in network byte order.  Producer p of n has the items p, p + n,
 * p + 2n ... below `items`, and skips the items below `from`.
 */
enum {
	MAGIC = 0x636f696c,
	PREFIX = 4,
	HELLO = 28,
	ACK = 8,
	ITEM_MIN = 8,
	ITEM_MAX = 64 * 1024,
	BUFFER = 128 * 1024,	/* bytes to send or receive at once */
	LINES_MAX = 10000,	/* for more items: a bar instead of lines */
};

struct options {
	const char *role, *address;
	bool produces, consumes, quiet;
	unsigned long long producers, consumers;
	unsigned long long items, from;
	unsigned long long queue, size;
	unsigned long long interval, work;	/* ns */
};

extern struct options options;

/* The results, for the bar and the summary. */
struct produced {
	unsigned long long items, acknowledged;
	unsigned long long unacknowledged;	/* the first one; options.items if none */
	unsigned long long most;		/* the maximum on the way at one time */
	int64_t started, ended;
};

struct consumed {
	unsigned long long goal;	/* finished when skipped + items reach it */
	unsigned long long skipped;	/* before --from */
	unsigned long long items, bytes;
	unsigned long long duplicated, reordered, repeated;
	int64_t started, ended;
};

extern struct produced produced;
extern struct consumed consumed;

/* producer.c: returns when all items are acknowledged, or no more can be. */
int produce_all(void);

/* consumer.c: a task's function.  Returns when all items have come.  *listener is an fd. */
int consume_all(void *listener);

/*
 * producer_consumer.c: say() prints a line on stdout, and parks up to a second for a slow
 * reader.  complain() prints a line on stderr and does not park.
 */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
int spend(int64_t *until, unsigned long long ns);

/* Returns a producer's first item that is not below from. */
static inline unsigned long long first_item(unsigned long long from,
					    unsigned producer,
					    unsigned producers)
{
	return from + (producer + producers - from % producers) % producers;
}

static inline void put32(unsigned char *to, uint32_t number)
{
	number = htobe32(number);
	memcpy(to, &number, sizeof(number));
}

static inline void put64(unsigned char *to, uint64_t number)
{
	number = htobe64(number);
	memcpy(to, &number, sizeof(number));
}

static inline uint32_t get32(const unsigned char *from)
{
	uint32_t number;

	memcpy(&number, from, sizeof(number));
	return be32toh(number);
}

static inline uint64_t get64(const unsigned char *from)
{
	uint64_t number;

	memcpy(&number, from, sizeof(number));
	return be64toh(number);
}

#endif
