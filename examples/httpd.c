/* SPDX-License-Identifier: MIT */
/*
 * A web server for the files below a folder.
 *
 *	$ ./httpd --root /usr/share/doc --address :8080
 *	$ curl -i http://localhost:8080/
 *	$ curl -r 0-99 http://localhost:8080/bash/copyright
 *	$ wrk -c 100 http://localhost:8080/bash/copyright
 *
 * HTTP/1.1 with keep-alive and pipelining; ranges, conditions, folders.  Requests
 * are parsed by llhttp, whose callbacks run in the connection's task and may park,
 * so there is no state to keep but the stack.  A connection takes no memory but
 * that either.  SIGINT and SIGTERM let what is under way end, for ten seconds.
 * httpd_request.c has what requests mean, httpd_file.c the files.
 */
#include "httpd.h"
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
"usage: httpd [OPTION ...]\n"
"\n"
"  --address ADDR  127.0.0.1:8080 (the default), :8080, [::1]:8080, localhost:8080,\n"
"                  unix:/path, unix:@name, fd:3; port 0 is one that is free\n"
"  --root DIR      whose files are served; the current one\n"
"  --hello         answer every request with a constant instead\n"
"  --timeout SECS  that a request's head and body may take; 10\n"
"  --log FILE      where requests are logged; standard output\n"
"  --quiet         not at all\n"
"  --help          this\n";

static const char *address = "127.0.0.1:8080", *root_name = ".", *log_name;
static int hello, quiet, root = -1;
static int64_t request_time = 10 * COIL_SECOND;
static struct coil_stream *log_stream;
static struct connection *connections;
static bool stopping;

enum { IDLE = 60, LINGER = 2, GRACE = 10 };	/* seconds */

static const char *reason(int status)
{
	static const struct { int status; const char *text; } reasons[] = {
		{ 200, "OK" }, { 206, "Partial Content" }, { 301, "Moved Permanently" },
		{ 304, "Not Modified" }, { 400, "Bad Request" }, { 403, "Forbidden" },
		{ 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 408, "Request Timeout" }, { 414, "URI Too Long" },
		{ 416, "Range Not Satisfiable" }, { 417, "Expectation Failed" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" }, { 501, "Not Implemented" },
		{ 503, "Service Unavailable" }, { 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		if (reasons[i].status == status)
			return reasons[i].text;
	}
	return "";
}

/*
 * Answers.
 */

int send_bytes(struct connection *c, const char *bytes, size_t n)
{
	ssize_t done = send_out(c);

	for (; done >= 0 && n; bytes += done, n -= (size_t)done)
		done = coil_stream_write(c->stream, bytes, n);
	return done < 0 ? (int)done : 0;
}

int send_out(struct connection *c)
{
	ssize_t n = c->used ? coil_stream_write(c->stream, c->out, c->used) : 0;

	c->used = 0;
	return n < 0 ? (int)n : 0;
}

/* The conversation's deadline; not moved for less than a second. */
void allow(struct connection *c, int64_t ns)
{
	int64_t when = coil_now() + ns, then = coil_timeout_when(&c->timeout);

	if (when < then || when - then > COIL_SECOND)
		(void)coil_timeout_reschedule(&c->timeout, when);
}

static void put_escaped(char **to, const char *end, struct view view)
{
	*to += snprintf(*to, 2, "%s", view.at ? "" : "-");
	for (size_t i = 0; i < view.len && end - *to > 5; i++) {
		unsigned char byte = (unsigned char)view.at[i];

		if (byte >= ' ' && byte < 127 && byte != '"' && byte != '\\')
			*(*to)++ = (char)byte;
		else
			*to += snprintf(*to, 5, "\\x%02x", byte);
	}
}

/* Lines that come while one waits for whoever reads the log are lost. */
static void note(const struct connection *c, int status, off_t length)
{
	const struct request *r = &c->request;
	char line[4096], *to = line;
	time_t now = time(NULL);
	struct tm tm;

	to += snprintf(to, 256, "%s - - ", *c->peer ? c->peer : "-");
	to += strftime(to, 64, "[%d/%b/%Y:%H:%M:%S %z] \"", localtime_r(&now, &tm));
	to += snprintf(to, 32, "%s ", r->phase == HEAD ? "-" :
		       llhttp_method_name((llhttp_method_t)r->parser.method));
	put_escaped(&to, line + 2000, r->views[TARGET]);
	to += snprintf(to, 80, " HTTP/%d.%d\" %d %lld \"", r->parser.http_major,
		       r->parser.http_minor, status, (long long)(length > 0 ? length : 0));
	put_escaped(&to, line + 3000, r->views[REFERER]);
	to += snprintf(to, 8, "\" \"");
	put_escaped(&to, line + 4000, r->views[USER_AGENT]);
	to += snprintf(to, 8, "\"\n");
	(void)!coil_stream_write(log_stream, line, (size_t)(to - line));
}

static const char *now_text(void)
{
	static char text[30];
	static time_t then = -1;
	time_t now = time(NULL);

	if (now != then)
		format_date(text, then = now);
	return text;
}

static const char *connection_header(const struct request *r)
{
	if (!r->keep)
		return "Connection: close\r\n";
	return r->parser.http_minor ? "" : "Connection: keep-alive\r\n";
}

int reply_head(struct connection *c, int status, off_t length, const char *format, ...)
{
	size_t room;
	char *to;
	va_list args;
	int err = OUT_SIZE - c->used < OUT_SIZE / 2 ? send_out(c) : 0, n;

	if (err)
		return err;
	to = c->out + c->used;
	room = OUT_SIZE - c->used;
	n = snprintf(to, room, "HTTP/1.1 %d %s\r\nDate: %s\r\n%s", status, reason(status),
		     now_text(), connection_header(&c->request));
	if (length >= 0)
		n += snprintf(to + n, room - (size_t)n, "Content-Length: %lld\r\n",
			      (long long)length);
	va_start(args, format);
	n += vsnprintf(to + n, room - (size_t)n, format, args);
	va_end(args);
	if ((size_t)n + 2 > room)
		return -EMSGSIZE;
	memcpy(to + n, "\r\n", 2);
	c->used += (size_t)n + 2;
	if (log_stream)
		note(c, status, length);
	return 0;
}

/* A status that speaks for itself. */
int reply(struct connection *c, int status, const char *header)
{
	char body[80];
	int n = snprintf(body, sizeof(body), "%d %s\n", status, reason(status));
	int err = reply_head(c, status, n, "Content-Type: text/plain\r\n%s", header);

	if (err || c->request.parser.method == HTTP_HEAD)
		return err;
	if (c->used + (size_t)n > OUT_SIZE)
		return send_bytes(c, body, (size_t)n);
	memcpy(c->out + c->used, body, (size_t)n);
	c->used += (size_t)n;
	return 0;
}

/* The same bytes for a second long. */
static int answer_hello(struct connection *c)
{
	static const char body[] = "\r\nhello\n";
	static char head[128];
	static size_t len;
	static const char *made_at;
	static time_t then = -1;
	const char *more = connection_header(&c->request);
	size_t body_len = c->request.parser.method == HTTP_HEAD ? 2 : sizeof(body) - 1;
	size_t more_len = strlen(more);
	time_t now = time(NULL);
	int err = OUT_SIZE - c->used < 256 ? send_out(c) : 0;

	if (now != then) {
		made_at = now_text();
		then = now;
		len = (size_t)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nDate: %s\r\n"
				       "Content-Type: text/plain\r\nContent-Length: 6\r\n",
				       made_at);
	}
	if (err)
		return err;
	memcpy(c->out + c->used, head, len);
	memcpy(c->out + c->used + len, more, more_len);
	memcpy(c->out + c->used + len + more_len, body, body_len);
	c->used += len + more_len + body_len;
	if (log_stream)
		note(c, 200, 6);
	return 0;
}

/* Called by the parser, when the headers are complete. */
static int answer(struct request *r)
{
	struct connection *c = (struct connection *)r;
	const struct view *v = r->views;
	int err;

	if (stopping)
		r->keep = false;
	/* Who waits for a word before the body gets the answer instead. */
	if (v[EXPECT].at && r->parser.http_minor)
		r->keep = false;
	if (r->parser.http_major != 1) {
		r->keep = false;
		err = reply(c, 505, "");
	} else if ((r->parser.http_minor && !v[HOST].at) || r->two_hosts) {
		r->keep = false;
		err = reply(c, 400, "");
	} else if (v[EXPECT].at && r->parser.http_minor && !view_is(v[EXPECT], "100-continue")) {
		err = reply(c, 417, "");
	} else if (r->parser.method == HTTP_CONNECT) {
		r->keep = false;
		err = reply(c, 405, "Allow: GET, HEAD\r\n");
	} else if (hello) {
		err = answer_hello(c);
	} else if (r->parser.method != HTTP_GET && r->parser.method != HTTP_HEAD) {
		err = reply(c, 405, "Allow: GET, HEAD\r\n");
	} else {
		err = answer_file(c, root);
	}
	return err ? -1 : 0;
}

/*
 * Connections.
 */

/* Room for more of a head that is not complete: false if it is too long. */
static bool make_room(struct connection *c, size_t *end)
{
	const char *from = c->request.views[TARGET].at;

	if (c->request.phase != HEAD || !from) {
		*end = 0;
		return true;
	}
	if (*end < HEAD_MOST)
		return true;
	*end -= (size_t)(from - c->in);
	memmove(c->in, from, *end);
	request_move(&c->request, c->in - from);
	return *end < HEAD_MOST;
}

/* 0 at the end; a status to refuse with; a negative errno. */
static int converse(struct connection *c)
{
	struct request *r = &c->request;
	unsigned hurried = 0;
	size_t end = 0;
	ssize_t n;
	int status, err;

	for (;;) {
		if (r->phase == BETWEEN) {
			allow(c, IDLE * COIL_SECOND);
			err = coil_stream_flush(c->stream);
			if (err || stopping)
				return err;
			c->idle = true;
		}
		n = coil_stream_read(c->stream, c->in + end, HEAD_MOST - end);
		c->idle = false;
		if (n <= 0)
			return (int)n;
		status = request_parse(r, c->in + end, (size_t)n);
		err = send_out(c);
		if (err || status)
			return err ? err : status;
		end += (size_t)n;
		if (!make_room(c, &end))
			return r->views[FIELD].at || r->views[HOST].at ? 431 : 414;
		/* However slowly it comes, it has so long in all. */
		if (r->phase != BETWEEN && hurried != r->number)
			allow(c, request_time);
		hurried = r->number;
	}
}

/* Closed with bytes unread it would be reset, and the answer lost on the way. */
static void linger(struct connection *c)
{
	COIL_TIMEOUT(LINGER * COIL_SECOND) {
		if (coil_stream_shutdown(c->stream))
			break;
		while (coil_stream_read(c->stream, c->in, HEAD_MOST) > 0)
			;
	}
}

static void refuse(struct connection *c, int status)
{
	c->request.keep = false;
	COIL_TIMEOUT(LINGER * COIL_SECOND) {
		if (!reply(c, status, ""))
			(void)send_out(c);
	}
}

static void enlist(struct connection *c)
{
	c->link = &connections;
	c->next = connections;
	if (c->next)
		c->next->link = &c->next;
	connections = c;
}

static void unlist(struct connection *c)
{
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
}

static int serve(struct coil_stream *stream, void *arg)
{
	struct connection c;
	int status;

	/* Pages of the buffers that are not needed are not touched. */
	memset(&c, 0, offsetof(struct connection, out));
	c.stream = stream;
	c.task = coil_current_task();
	enlist(&c);
	if (coil_peer_address(coil_stream_fd(stream), c.peer, sizeof(c.peer)) < 0)
		c.peer[0] = '\0';
	request_init(&c.request, answer);

	status = coil_timeout_begin(&c.timeout, IDLE * COIL_SECOND);
	if (!status) {
		status = converse(&c);
		coil_timeout_end(&c.timeout);
	}
	unlist(&c);

	if (status == -ETIMEDOUT && c.request.phase == HEAD)
		status = 408;
	if (status > 0)
		refuse(&c, status);
	if (status >= -1 && c.request.phase != BETWEEN)
		linger(&c);
	if (status == -ENOMEM)
		return status;
	return status < -1 ? -ECANCELED : 0;
}

/*
 * The program.
 */

/* A stream queues lines and writes them while others are served. */
static int open_log(void)
{
	const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
	int fd = log_name ? open(log_name, flags, 0666) : fcntl(1, F_DUPFD_CLOEXEC, 0);

	log_stream = fd < 0 ? NULL : coil_stream_open(fd);
	if (!log_stream)
		fprintf(stderr, "httpd: cannot write to %s: %s\n",
			log_name ? log_name : "standard output", strerror(errno));
	return log_stream ? 0 : -EIO;
}

static int run(void *arg)
{
	const struct coil_server_options options = { .flush_ns = GRACE * COIL_SECOND };
	struct coil_server *server;
	char text[COIL_ADDRESS_SIZE];
	int err = quiet ? 0 : open_log();

	if (err)
		return err;
	server = coil_start_server(address, serve, NULL, &options);
	if (!server) {
		err = -errno;
		fprintf(stderr, "httpd: cannot listen on %s: %s\n", address, strerror(-err));
		return err;
	}
	for (size_t i = 0; coil_server_fd(server, i) >= 0; i++) {
		if (coil_local_address(coil_server_fd(server, i), text, sizeof(text)) >= 0)
			fprintf(stderr, "listening on %s\n", text);
	}
	err = coil_serve_forever(server);

	/* Nothing is under way where nothing was asked. */
	stopping = true;
	for (struct connection *c = connections; c; c = c->next) {
		if (c->idle)
			coil_cancel(c->task);
	}
	coil_server_close(server, GRACE * COIL_SECOND);
	COIL_SHIELD(COIL_SECOND) {
		if (log_stream)
			coil_stream_close(log_stream);
	}
	return err;
}

static void read_options(int argc, char *argv[])
{
	static const struct option names[] = {
		{ "address", required_argument, NULL, 'a' },
		{ "root", required_argument, NULL, 'r' },
		{ "timeout", required_argument, NULL, 't' },
		{ "log", required_argument, NULL, 'l' },
		{ "hello", no_argument, &hello, 1 },
		{ "quiet", no_argument, &quiet, 1 },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'a')
			address = optarg;
		else if (option == 'r')
			root_name = optarg;
		else if (option == 't')
			request_time = strtol(optarg, NULL, 10) * COIL_SECOND;
		else if (option == 'l')
			log_name = optarg;
		else if (option)
			fputs(help, option == 'h' ? stdout : stderr);
		if (option == 'h' || option == '?')
			exit(option == 'h' ? 0 : 2);
	}
	if (optind < argc) {
		fputs(help, stderr);
		exit(2);
	}
}

int main(int argc, char *argv[])
{
	sigset_t signals;
	int err;

	read_options(argc, argv);
	root = open(root_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0) {
		fprintf(stderr, "httpd: %s: %s\n", root_name, strerror(errno));
		return 1;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	err = coil_run_with(&(struct coil_options){ .stop_signals = &signals }, run, NULL);
	if (!err || err == -EINTR)
		return 0;
	fprintf(stderr, "httpd: %s\n", strerror(-err));
	return 1;
}
