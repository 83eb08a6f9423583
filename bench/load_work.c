/* SPDX-License-Identifier: MIT */
/*
 * The connections of one thread of the load generator, over plain epoll.  It uses none of
 * the libraries that are measured.
 *
 * The bytes that a connection sends are a function of its number and of the position in
 * the stream.  So each received byte is checked by its position, and no sent byte is kept.
 *
 * In a closed loop, a connection sends again when a reply has come, and latency is counted
 * from the sending.  With a rate (open loop), message m of connection c is due at start +
 * (m * connections + c) / rate.  Latency is counted from then, however late the message
 * was sent.  So a server that stalls is charged for every message that became due
 * meanwhile.  This avoids what is called coordinated omission.
 */
#include "bench/load.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { SCRATCH = 262144, HEAD = 4096, SOURCES = 32, PORTS_A_SOURCE = 20000, WINDOW = 128,
       PATIENCE_MS = 10000 };

struct conn {
	int fd;
	unsigned id;
	bool connected, wants_out;
	uint64_t sent, done;		/* messages; sent_at has the times of those in flight */
	uint64_t due;			/* messages that are due by the rate */
	uint64_t tx, rx;		/* bytes of the stream */
	double *sent_at, opened;
	/* http: the head of the reply so far, and the bytes of the body still to come */
	char *head;
	size_t head_length, body_left;
	bool in_body;
};

struct load_marks load_marks;

void load_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("load: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	_exit(1);
}

static void watch(struct worker *w, struct conn *c, bool out)
{
	struct epoll_event event = { .events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c };

	if (c->wants_out == out)
		return;
	c->wants_out = out;
	if (epoll_ctl(w->epoll, EPOLL_CTL_MOD, c->fd, &event))
		load_fail("epoll_ctl: %m");
}

/* Begins to connect.  Several source addresses are used, as each has its own ports. */
static void open_conn(struct worker *w, struct conn *c, unsigned source)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT, .data.ptr = c };
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		load_fail("socket: %m");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + source);
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)))
		load_fail("bind: %m");
	c->connected = false;
	c->wants_out = true;
	c->sent = c->done = c->tx = c->rx = 0;
	c->opened = bench_now();
	if (connect(c->fd, (const struct sockaddr *)&w->options->address,
		    sizeof(w->options->address)) && errno != EINPROGRESS)
		load_fail("connect: %m");
	if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, c->fd, &event))
		load_fail("epoll_ctl: %m");
}

static void finish_connect(struct worker *w, struct conn *c)
{
	socklen_t length = sizeof(int);
	int err = 0;

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &length);
	if (err)
		load_fail("connection %u: %s", c->id, strerror(err));
	c->connected = true;
	watch(w, c, false);
}

/* Writes the stream's bytes from that position to the end of their message. */
static size_t stream_bytes(struct worker *w, struct conn *c, uint64_t position, char *out)
{
	size_t size = w->options->size, skip = position % size, length = size - skip;
	uint64_t message = position / size, word;

	word = (message + 1) * 0x9e3779b97f4a7c15 + c->id;
	for (size_t at = skip; at < size;) {
		if (at % 8 == 0 && at + 8 <= size) {
			memcpy(out + at - skip, &word, 8);
			at += 8;
		} else {
			out[at - skip] = (char)(word >> (at % 8 * 8));
			at++;
		}
	}
	return length;
}

/* Sends the stream from tx to the end of message number sent. */
static void transmit(struct worker *w, struct conn *c)
{
	size_t unit = w->options->mode == MODE_HTTP ? w->request_length : w->options->size;
	uint64_t end = c->sent * unit;

	while (c->tx < end) {
		size_t length = 0;
		ssize_t n;

		while (c->tx + length < end && length + unit <= SCRATCH / 2) {
			if (w->options->mode == MODE_HTTP) {
				size_t skip = (c->tx + length) % unit;

				memcpy(w->scratch + length, w->request + skip, unit - skip);
				length += unit - skip;
			} else {
				length += stream_bytes(w, c, c->tx + length, w->scratch + length);
			}
		}
		n = send(c->fd, w->scratch, length, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			load_fail("send on connection %u: %m", c->id);
		if (n > 0)
			c->tx += (uint64_t)n;
		if (n < (ssize_t)length) {
			watch(w, c, true);
			return;
		}
	}
	watch(w, c, false);
}

static double due_at(const struct worker *w, const struct conn *c, uint64_t message)
{
	const struct options *o = w->options;

	return w->schedule_start + ((double)message * o->connections + c->id) * 1e9 / o->rate;
}

/* Sends as many messages as the depth and the rate allow. */
static void refill(struct worker *w, struct conn *c, double now)
{
	const struct options *o = w->options;
	uint64_t before = c->sent;

	while (c->sent - c->done < o->depth && (o->rate == 0 || c->sent < c->due)) {
		c->sent_at[c->sent % o->depth] = o->rate == 0 ? now : due_at(w, c, c->sent);
		c->sent++;
	}
	if (c->sent != before && !c->wants_out)
		transmit(w, c);
}

static void reply(struct worker *w, double latency)
{
	if (!w->measuring) {
		w->settled++;
		return;
	}
	histogram_add(&w->latency, (int64_t)latency);
	w->replies++;
	if (w->wanted && w->replies >= w->wanted)
		w->over = true;
}

static void check_echo(struct worker *w, struct conn *c, const char *got, size_t n)
{
	char *expected = w->scratch + SCRATCH / 2;

	while (n) {
		size_t length = stream_bytes(w, c, c->rx, expected);

		if (length > n)
			length = n;
		if (memcmp(expected, got, length))
			load_fail("connection %u: a byte differs from the one sent", c->id);
		got += length;
		n -= length;
		c->rx += length;
	}
}

/* Checks the status and the length in a complete head of a reply. */
static void check_head(struct worker *w, struct conn *c)
{
	struct options *o = (struct options *)w->options;
	const char *line = c->head;
	bool has_length = false;

	if (strncmp(c->head, "HTTP/1.1 200", 12))
		load_fail("connection %u: %.20s", c->id, c->head);
	while ((line = strstr(line, "\r\n")) && line[2]) {
		line += 2;
		if (!strncasecmp(line, "content-length:", 15)) {
			c->body_left = strtoul(line + 15, NULL, 10);
			has_length = true;
		}
	}
	if (!has_length)
		load_fail("connection %u: no Content-Length", c->id);
	if (o->body && o->body_length != c->body_left)
		load_fail("connection %u: %zu bytes, not %zu", c->id, c->body_left,
			  o->body_length);
	c->in_body = true;
	c->head_length = 0;
}

/* Returns the number of bytes used of got.  Sets *whole if they complete a reply. */
static size_t check_http(struct worker *w, struct conn *c, const char *got, size_t n,
			 bool *whole)
{
	const struct options *o = w->options;
	size_t used;

	*whole = false;
	if (!c->in_body) {
		for (used = 0; used < n; used++) {
			if (c->head_length >= HEAD - 1)
				load_fail("connection %u: the head is too long", c->id);
			c->head[c->head_length++] = got[used];
			if (got[used] == '\n' && c->head_length >= 4 &&
			    !memcmp(c->head + c->head_length - 4, "\r\n\r\n", 4))
				break;
		}
		if (used == n)
			return n;
		c->head[c->head_length] = 0;
		check_head(w, c);
		used++;
	} else {
		used = n < c->body_left ? n : c->body_left;
		if (o->body && memcmp(o->body + o->body_length - c->body_left, got, used))
			load_fail("connection %u: the body differs", c->id);
		c->body_left -= used;
	}
	*whole = !c->body_left;
	c->in_body = !*whole;
	return used;
}

static void receive(struct worker *w, struct conn *c)
{
	const struct options *o = w->options;
	char *buffer = w->scratch;
	ssize_t n = recv(c->fd, buffer, SCRATCH / 2, 0);
	uint64_t whole = 0;
	double now;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		load_fail("connection %u: %s", c->id, n ? strerror(errno) : "closed by it");
	now = bench_now();
	if (o->mode == MODE_HTTP) {
		for (size_t at = 0; at < (size_t)n;) {
			bool ended;

			at += check_http(w, c, buffer + at, (size_t)n - at, &ended);
			whole += ended;
		}
	} else {
		check_echo(w, c, buffer, (size_t)n);
		whole = c->rx / o->size - c->done;
	}
	if (whole > c->sent - c->done)
		load_fail("connection %u: more came back than was sent", c->id);
	for (; whole; whole--, c->done++) {
		double since = o->mode == MODE_ACCEPT ? c->opened : c->sent_at[c->done % o->depth];

		reply(w, now - since);
	}
	if (o->mode == MODE_ACCEPT) {
		if (!c->done)
			return;
		close(c->fd);
		open_conn(w, c, (c->id + (unsigned)w->replies) % SOURCES);
	} else {
		refill(w, c, now);
	}
}

static void handle(struct worker *w, struct conn *c, unsigned events)
{
	if (!c->connected && events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
		finish_connect(w, c);
		if (w->options->mode == MODE_ACCEPT && w->schedule_start != 0)
			refill(w, c, c->opened);
		return;
	}
	if (events & EPOLLOUT)
		transmit(w, c);
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		receive(w, c);
}

/* Open loop: sends the messages that have become due, and sets the timer for the next. */
static void schedule(struct worker *w, double now)
{
	struct itimerspec next = { .it_interval = {0} };
	double due;

	for (;;) {
		uint64_t message = w->scheduled / w->count;
		struct conn *c = &w->conns[w->scheduled % w->count];

		due = due_at(w, c, message);
		if (due > now)
			break;
		w->scheduled++;
		c->due = message + 1;
		refill(w, c, now);
	}
	next.it_value.tv_sec = (time_t)(due / 1e9);
	next.it_value.tv_nsec = (long)(due - (double)next.it_value.tv_sec * 1e9);
	timerfd_settime(w->timer, TFD_TIMER_ABSTIME, &next, NULL);
}

static void set_up(struct worker *w)
{
	const struct options *o = w->options;

	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	w->conns = calloc(w->count, sizeof(*w->conns));
	w->scratch = malloc(SCRATCH);
	w->request = malloc(1024);
	if (w->epoll < 0 || w->timer < 0 || !w->conns || !w->scratch || !w->request)
		load_fail("no memory or no fd: %m");
	w->request_length = (size_t)snprintf(w->request, 1024,
		"GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\n"
		"Accept: */*\r\n\r\n", o->path);
	for (unsigned i = 0; i < w->count; i++) {
		struct conn *c = &w->conns[i];

		c->fd = -1;
		c->id = w->first + i;
		c->sent_at = calloc(o->depth, sizeof(*c->sent_at));
		c->head = o->mode == MODE_HTTP ? malloc(HEAD) : NULL;
		if (!c->sent_at || (o->mode == MODE_HTTP && !c->head))
			load_fail("no memory");
	}
}

/* Connects in windows, because no backlog holds ten thousand connections. */
void load_connect(struct worker *w)
{
	struct epoll_event events[WINDOW];
	unsigned begun = 0, connected = 0;

	set_up(w);
	while (connected < w->count) {
		int n;

		for (; begun < w->count && begun - connected < WINDOW; begun++)
			open_conn(w, &w->conns[begun],
				  w->conns[begun].id / PORTS_A_SOURCE);
		n = epoll_wait(w->epoll, events, WINDOW, 30000);
		if (n <= 0)
			load_fail("no connection in 30 s");
		for (int i = 0; i < n; i++)
			finish_connect(w, events[i].data.ptr);
		connected += (unsigned)n;
	}
}

/*
 * Begins and ends the measured stretch by the clock.  But it begins only after all that is
 * in flight has turned over twice, and ends only after it has turned over twenty times.
 * Otherwise the requests in the sockets at its ends would distort the result: they are
 * paid for outside of the stretch and counted inside.
 */
static void look_at_time(struct worker *w, double now)
{
	const struct options *o = w->options;
	uint64_t in_flight = o->rate == 0 ? (uint64_t)w->count * o->depth : 0;

	if (!w->measuring && now >= w->begun && w->settled >= 2 * in_flight) {
		w->measuring = true;
		w->begun = now;
		if (!w->index)
			load_marks.begin();
	}
	if (w->measuring && !w->wanted && now >= w->begun + o->seconds * 1e9 &&
	    w->replies >= 20 * in_flight)
		w->over = true;
}

void load_run(struct worker *w)
{
	const struct options *o = w->options;
	struct epoll_event events[256], event = { .events = EPOLLIN, .data.ptr = NULL };

	w->schedule_start = bench_now();
	w->begun = w->schedule_start + o->warmup * 1e9;
	if (o->rate != 0 && epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->timer, &event))
		load_fail("epoll_ctl: %m");
	for (unsigned i = 0; i < w->count && o->rate == 0; i++)
		refill(w, &w->conns[i], bench_now());
	while (!w->over) {
		double now = bench_now();
		int n;

		look_at_time(w, now);
		if (o->rate != 0)
			schedule(w, now);
		n = epoll_wait(w->epoll, events, 256, PATIENCE_MS);
		for (int i = 0; i < n; i++) {
			uint64_t ticks;

			if (events[i].data.ptr)
				handle(w, events[i].data.ptr, events[i].events);
			else if (read(w->timer, &ticks, sizeof(ticks)) < 0 && errno != EAGAIN)
				load_fail("timerfd: %m");
		}
		if (!n && o->rate == 0)
			load_fail("no reply in %d ms", PATIENCE_MS);
	}
	w->ended = bench_now();
	if (!w->index)
		load_marks.end();
}
