/* SPDX-License-Identifier: MIT */
/*
 * A web server for the files below a folder, in HTTP/1.1.
 *
 *	$ ./httpd --root /usr/share/doc --address :8080
 *	$ curl -r 0-99 http://localhost:8080/bash/copyright
 *
 * --help lists the options.  A connection that waits for a request costs its task's stack
 * but no buffer.  It takes buffers when a request comes, and gives them back when it has
 * answered.
 */
#include "httpd_files.h"
#include "httpd_log.h"
#include "httpd_request.h"
#include "options.h"
#include <coil.h>

/*
 * Answers are gathered up to a quarter of OUT_SIZE.  The longest head, which repeats a
 * target, fits behind them.
 */
enum { IN_SIZE = 8192, OUT_SIZE = 20480, FIRST = 1024, SPARE_DESKS = 64 };
/* Bytes to send at a time.  A socket is writable while less than PART bytes are unsent. */
enum { PART = 1 << 17, LIST_PART = 1 << 14 };
/* Nanoseconds to wait for a log that is only slow, and for a client to see the end. */
#define LOG_PATIENCE (10 * COIL_MILLISECOND)
#define LAST_PATIENCE (2 * COIL_SECOND)

/* The buffers of an answer.  The fields that a small request touches come first. */
struct desk {
	struct desk *next;	/* in the list of spare desks */
	size_t len, used;	/* in[]: len bytes received, then used bytes of answers */
	char in[IN_SIZE + OUT_SIZE];
	struct file file;
};

struct connection {
	struct request request;
	struct coil_stream *stream;
	struct desk *desk;	/* NULL until the first byte of a request comes */
	bool served;		/* it has answered a request */
	bool keep;		/* keep the connection after the last answer */
	bool more;		/* another head follows the one being answered */
	char peer[COIL_ADDRESS_SIZE];
};

static const char usage[] =
	"usage: httpd [OPTION ...]\n"
	"  --address ADDRESS  listen there (127.0.0.1:8080)\n"
	"  --root FOLDER      serve the files below it (.)\n"
	"  --timeout SECONDS  how long a head may take to arrive, and how long a client may\n"
	"                     read no byte of its answer (10)\n"
	"  --grace SECONDS    how long answers may take after SIGTERM (10)\n"
	"  --hello            answer every request with a constant\n"
	"  --quiet            write no log\n"
	"  --help             print this text\n"
	"SIGTERM ends the server after it has answered all requests, a second one at once.\n";

static int hello, quiet;
static int64_t patience = 10 * COIL_SECOND, grace = 10 * COIL_SECOND;
static bool stopping;
static struct log errors;
static struct desk *spare;
static unsigned spares;

static const char *const types[][2] = {
	{ ".html", "text/html; charset=utf-8" }, { ".txt", "text/plain; charset=utf-8" },
	{ ".css", "text/css" }, { ".js", "text/javascript" }, { ".json", "application/json" },
	{ ".png", "image/png" }, { ".jpg", "image/jpeg" }, { ".svg", "image/svg+xml" },
	{ "", "application/octet-stream" },
};

static bool take_desk(struct connection *c)
{
	c->desk = spare ? spare : malloc(sizeof(*c->desk));
	if (!c->desk)
		return false;
	if (spare) {
		spare = spare->next;
		spares--;
	}
	c->desk->len = c->desk->used = 0;
	return true;
}

static void leave_desk(struct connection *c)
{
	if (c->desk && spares < SPARE_DESKS) {
		c->desk->next = spare;
		spare = c->desk;
		spares++;
	} else {
		free(c->desk);
	}
	c->desk = NULL;
}

/* Sends the gathered answers and n more bytes.  Each part has a deadline of its own. */
static int send_out(struct connection *c, const char *bytes, size_t n)
{
	struct desk *desk = c->desk;
	ssize_t sent = 0;
	size_t part;

	do {
		part = n < LIST_PART ? n : LIST_PART;
		COIL_TIMEOUT(patience) {
			sent = coil_stream_write(c->stream, desk->in + desk->len, desk->used);
			sent = sent < 0 ? sent : coil_stream_write(c->stream, bytes, part);
			sent = sent < 0 ? sent : coil_stream_flush(c->stream);
		}
		desk->used = 0;
		bytes += part;
		n -= part;
	} while (sent >= 0 && n);
	return (int)sent;
}

/* From RFC 9110. */
static const char *reason_of(int status)
{
	switch (status) {
	case 200: return "OK";
	case 206: return "Partial Content";
	case 301: return "Moved Permanently";
	case 304: return "Not Modified";
	case 400: return "Bad Request";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 408: return "Request Timeout";
	case 416: return "Range Not Satisfiable";
	case 431: return "Request Header Fields Too Large";
	case 503: return "Service Unavailable";
	default: return "";
	}
}

static int reply(struct connection *c, int status, long long length, const char *rest)
{
	static char now[30];
	static time_t then;
	struct desk *desk = c->desk;
	char *out = desk->in + desk->len, *to = out + desk->used;

	if (then != time(NULL))
		strftime(now, sizeof(now), DATE, gmtime(&(time_t){ then = time(NULL) }));
	to = put_number(stpcpy(to, "HTTP/1.1 "), (unsigned)status, 10);
	to = stpcpy(stpcpy(to, " "), reason_of(status));
	to = stpcpy(stpcpy(to, "\r\nDate: "), now);
	to = stpcpy(to, c->request.keep ? "\r\nConnection: keep-alive" :
		    "\r\nConnection: close");
	to = put_number(stpcpy(to, "\r\nContent-Length: "), (unsigned long long)length, 10);
	desk->used = (size_t)(stpcpy(stpcpy(to, "\r\n"), rest) - out);
	if (!quiet)
		log_request(c->peer, now, &c->request, status, length);
	return 0;
}

/* A slow client is served.  Gives up only on one that reads nothing for `patience`. */
static int send_file(struct connection *c, int fd, off_t at, off_t last)
{
	int err = send_out(c, "", 0);

	while (!err && at <= last) {
		size_t part = last - at < PART ? (size_t)(last - at + 1) : PART;
		off_t before = at;
		ssize_t n = 0;

		COIL_TIMEOUT(patience)
			n = coil_sendfile(coil_stream_fd(c->stream), fd, &at, part);
		if (n < 0 && (n != -ETIMEDOUT || at == before))
			err = (int)n;
		/* The file became shorter than the Content-Length that was sent. */
		if (!n)
			err = -EIO;
	}
	return err;
}

static int answer_file(struct connection *c, int fd)
{
	static char date[30];
	static time_t then;
	struct desk *desk = c->desk;
	const struct stat *stat = &desk->file.stat;
	const char *dot = strrchr(desk->file.path, '.');
	char rest[384], *etag, *end;
	long long size = stat->st_size, first = 0, last = size - 1;
	int type = 0, status;
	ssize_t n;

	while (*types[type][0] && (!dot || strcasecmp(dot, types[type][0]) != 0))
		type++;
	etag = stpcpy(stpcpy(stpcpy(rest, "Content-Type: "), types[type][1]), "\r\nETag: ");
	end = put_number(stpcpy(etag, "\""), (unsigned long long)size, 16);
	end = put_number(stpcpy(end, "-"), (unsigned long long)stat->st_mtime, 16);
	end = put_number(stpcpy(end, "-"), (unsigned long)stat->st_mtim.tv_nsec, 16);
	end = stpcpy(end, "\"");
	if (!*date || then != stat->st_mtime) {
		const struct tm *tm = gmtime(&(time_t){ then = stat->st_mtime });

		/* The year cannot be written: 1970 is older than any cached copy. */
		if (!tm || !strftime(date, sizeof(date), DATE, tm))
			stpcpy(date, "Thu, 01 Jan 1970 00:00:00 GMT");
	}
	status = request_wants(&c->request, stat, etag, &first, &last);
	if (status == 416) {
		snprintf(rest, sizeof(rest), "Content-Range: bytes */%lld\r\n\r\n", size);
		return reply(c, 416, 0, rest);
	}
	end = stpcpy(stpcpy(end, "\r\nLast-Modified: "), date);
	end = stpcpy(end, "\r\nAccept-Ranges: bytes\r\n");
	if (status == 206)
		end += snprintf(end, 96, "Content-Range: bytes %lld-%lld/%lld\r\n", first, last,
				size);
	stpcpy(end, "\r\n");
	reply(c, status, last - first + 1, rest);
	if (status == 304 || c->request.parser.method == HTTP_HEAD || first > last)
		return 0;
	/* A small file goes out together with its head and other answers. */
	if (last - first >= (long long)(OUT_SIZE - desk->used))
		return send_file(c, fd, first, last);
	n = coil_pread(fd, desk->in + desk->len + desk->used, (size_t)(last - first + 1), first);
	desk->used += n > 0 ? (size_t)n : 0;
	return n == last - first + 1 ? 0 : n < 0 ? (int)n : -EIO;
}

static int status_of(int err)
{
	switch (err) {
	case -EINVAL: return 400;
	case -EACCES:
	case -EPERM: return 403;
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM: return 503;
	default: return 404;
	}
}

/* Answers with the folder's list, or with a redirect to its name with a slash. */
static int answer_folder(struct connection *c, const char *raw, bool get)
{
	struct file *file = &c->desk->file;

	if (file->list) {
		reply(c, 200, (long long)file->size,
		      "Content-Type: text/html; charset=utf-8\r\n\r\n");
		return get ? send_out(c, file->list, file->size) : 0;
	}
	snprintf(file->path, sizeof(file->path), "Location: /%.*s/%s\r\n\r\n",
		 (int)strcspn(raw, "?"), raw, raw + strcspn(raw, "?"));
	return reply(c, 301, 0, file->path);
}

static int answer(struct connection *c)
{
	bool get = c->request.parser.method == HTTP_GET;
	struct file *file = &c->desk->file;
	const char *raw;
	int fd, err;

	/* Before the server ends, it answers all requests that have arrived. */
	c->request.keep &= !stopping || c->more;
	c->served = true;
	if (hello)
		return reply(c, 200, 6, get ? "\r\nhello\n" : "\r\n");
	if (!get && c->request.parser.method != HTTP_HEAD)
		return reply(c, 405, 0, "Allow: GET, HEAD\r\n\r\n");
	file->list = NULL;
	file->cached = RESOLVE_CACHED;
	fd = request_path(&c->request, file->path, &raw) ? -EINVAL : find_file(file);
	file->cached = 0;
	if (fd == -EAGAIN)
		fd = coil_to_thread(find_file, file);
	if (fd < 0)
		return reply(c, status_of(fd), 0, "\r\n");
	err = S_ISREG(file->stat.st_mode) ? answer_file(c, fd) : answer_folder(c, raw, get);
	free(file->list);
	coil_close(fd);
	return err;
}

/*
 * Answers the head of n bytes and all complete heads that follow it.  Returns 0, -400 for
 * a bad head, or a negative errno.
 */
static int answer_all(struct connection *c, ptrdiff_t n)
{
	struct desk *desk = c->desk;
	size_t at = 0;
	int err = 0;

	while (n > 0 && !err) {
		at += (size_t)n;
		c->more = memmem(desk->in + at, desk->len - at, "\r\n\r\n", 4);
		if (!quiet && log_room(&requests) < 2 * LOG_LINE)
			log_wait(&requests, LOG_LINE, LOG_PATIENCE);
		err = answer(c);
		err = err || desk->used <= OUT_SIZE / 4 ? err : send_out(c, "", 0);
		c->keep = c->request.keep;
		n = c->keep ? request_parse(&c->request, desk->in + at, desk->len - at) : 0;
	}
	err = err ? err : send_out(c, "", 0);
	desk->len -= at;
	memmove(desk->in, desk->in + at, desk->len);
	if (!desk->len)
		leave_desk(c);
	return err ? err : (int)n;
}

/* Receives bytes of a request.  Waits for the first ones without a desk, to save memory. */
static ssize_t receive(struct connection *c)
{
	struct desk *desk = c->desk;
	char first[FIRST];
	ssize_t n;

	if (desk) {
		n = coil_stream_read(c->stream, desk->in + desk->len, IN_SIZE - desk->len);
		desk->len += n > 0 ? (size_t)n : 0;
		return n;
	}
	n = coil_stream_read(c->stream, first, sizeof(first));
	if (n <= 0)
		return n;
	if (!take_desk(c))
		return -ENOMEM;
	memcpy(c->desk->in, first, (size_t)n);
	c->desk->len = (size_t)n;
	return n;
}

/*
 * Waits at most ns nanoseconds for a whole head.  Returns its length, 0 at the end of the
 * stream, a negative errno, or a negated HTTP status to refuse it with.
 */
static ptrdiff_t next_head(struct connection *c, int64_t ns)
{
	ptrdiff_t n;

	COIL_TIMEOUT(ns) {
		while (!c->desk || !(n = request_parse(&c->request, c->desk->in, c->desk->len))) {
			if (c->desk && c->desk->len == IN_SIZE)
				return -431;
			n = receive(c);
			if (n <= 0)
				return c->desk && n == -ETIMEDOUT ? -408 : n;
		}
	}
	return n;
}

/*
 * When the server ends, it answers the requests that have arrived until now.  A client that
 * has sent part of a request, or has had no answer yet, gets one second to complete a
 * request.  Any other client gets one millisecond.
 */
static ptrdiff_t last_head(struct connection *c)
{
	ptrdiff_t n = 0;

	COIL_SHIELD(LAST_PATIENCE)
		n = next_head(c, c->desk || !c->served ? COIL_SECOND : COIL_MILLISECOND);
	return n;
}

/* Returns 0 at the end, a negative errno, or a negated HTTP status to refuse with. */
static int converse(struct connection *c)
{
	ptrdiff_t n;
	int err = 0;

	do {
		n = next_head(c, patience);
		if (n == -ECANCELED)
			n = last_head(c);
		if (n <= 0)
			return (int)n;
		COIL_SHIELD(grace)
			err = answer_all(c, n);
	} while (!err && c->keep);
	return err;
}

/*
 * Reads until the client closes.  A socket that is closed with unread bytes resets the
 * connection, and the answer may be lost on the way.
 */
static void say_goodbye(struct connection *c, int status)
{
	char rest[FIRST];

	if (status) {
		c->request.keep = false;
		reply(c, status, 0, "\r\n");
		if (send_out(c, "", 0))
			return;
	}
	leave_desk(c);
	if (!coil_stream_shutdown(c->stream))
		while (coil_stream_read(c->stream, rest, sizeof(rest)) > 0)
			;
}

static int serve(struct coil_stream *stream, void *arg)
{
	struct connection c = { .stream = stream };
	int status;

	(void)!coil_peer_address(coil_stream_fd(stream), c.peer, sizeof(c.peer));
	status = converse(&c);
	if (status == 0 || status <= -400) {
		COIL_SHIELD(LAST_PATIENCE)
			COIL_TIMEOUT(LAST_PATIENCE)
				say_goodbye(&c, -status);
	}
	leave_desk(&c);
	return status == 0 || status <= -400 ? 0 : -ECANCELED;
}

static int run(void *arg)
{
	const struct coil_server_options options = { .notsent_lowat = PART };
	struct coil_server *server = coil_start_server(arg, serve, NULL, &options);
	char text[COIL_ADDRESS_SIZE] = "";
	int err;

	if (!server)
		return -errno;
	log_open(&errors, STDERR_FILENO);
	if (!quiet)
		log_open(&requests, STDOUT_FILENO);
	(void)!coil_local_address(coil_server_fd(server, 0), text, sizeof(text));
	log_line(&errors, "listening on %s", text);
	err = coil_serve_forever(server);
	stopping = true;
	coil_server_close(server, 0);
	log_close(&requests);
	log_close(&errors);
	while (spare) {
		struct desk *next = spare->next;

		free(spare);
		spare = next;
	}
	return err;
}

static void read_options(int argc, char *argv[], char *values[])
{
	static const struct option names[] = {
		{ "address", required_argument, NULL, 'a' },
		{ "root", required_argument, NULL, 'r' },
		{ "timeout", required_argument, NULL, 't' },
		{ "grace", required_argument, NULL, 'g' },
		{ "hello", no_argument, &hello, 1 }, { "quiet", no_argument, &quiet, 1 },
		OPTION_HELP, {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'h' || option == '?')
			options_end(option == 'h', usage);
		if ((option == 't' && !options_seconds(optarg, &patience)) ||
		    (option == 'g' && !options_seconds(optarg, &grace)))
			options_end(false, usage);
		if (option == 'a' || option == 'r')
			values[option] = optarg;
	}
	if (optind < argc)
		options_end(false, usage);
}

int main(int argc, char *argv[])
{
	char *values[] = { ['a'] = "127.0.0.1:8080", ['r'] = "." };
	sigset_t signals;
	const struct coil_options options = { .stop_signals = &signals };
	struct stat stat;
	int err;

	read_options(argc, argv, values);
	root = open(values['r'], O_PATH | O_DIRECTORY | O_CLOEXEC);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	err = root < 0 ? -errno : open_beneath("", 0, &stat);
	if (err >= 0) {
		close(err);
		err = coil_run_with(&options, run, values['a']);
	}
	if (err && err != -EINTR)
		fprintf(stderr, "httpd: %s at %s: %s\n", values['r'], values['a'], strerror(-err));
	return err && err != -EINTR;
}
