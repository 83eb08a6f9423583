/* SPDX-License-Identifier: MIT */
/*
 * A web server for the files below a folder, in HTTP/1.1.
 *
 *	$ ./httpd --root /usr/share/doc --address :8080
 *	$ curl -r 0-99 http://localhost:8080/bash/copyright
 *
 * --hello answers every request with a constant; --quiet writes no log.  --timeout
 * SECONDS (10) is what a request, and each 128 kB of an answer, may take.  SIGTERM
 * ends it once all requests are answered, a second one at once.
 */
#include "httpd_request.h"
#include <coil.h>
#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RESOLVE_CACHED	/* Linux 5.12 */
#define RESOLVE_CACHED 0x20
#endif

/* Of OUT_SIZE a quarter is gathered; the longest head, one with a target, fits behind it. */
enum { IN_SIZE = 8192, OUT_SIZE = 20480, PART = 1 << 17 };

/* What a small request touches comes first and together: more pages are more misses. */
struct connection {
	struct request request;
	struct coil_stream *stream;
	size_t len, used;	/* of in: what came; then answers, to be sent at once */
	unsigned cached;	/* RESOLVE_CACHED: -EAGAIN if a disk is to be waited for */
	struct stat stat;	/* of what is at path */
	char *list;		/* of a folder */
	size_t size;
	char peer[COIL_ADDRESS_SIZE], in[IN_SIZE + OUT_SIZE], path[IN_SIZE + 16];
};

static int hello, quiet, root;
static int64_t patience;
static struct coil_stream *log_stream;

static const char *const types[][2] = {
	{ ".html", "text/html; charset=utf-8" }, { ".txt", "text/plain; charset=utf-8" },
	{ ".css", "text/css" }, { ".js", "text/javascript" }, { ".json", "application/json" },
	{ ".png", "image/png" }, { ".jpg", "image/jpeg" }, { ".svg", "image/svg+xml" },
	{ "", "application/octet-stream" },
};

/* All that was gathered, and n more bytes. */
static int send_out(struct connection *c, const char *bytes, size_t n)
{
	ssize_t sent = 0;

	COIL_TIMEOUT(patience) {
		sent = coil_stream_write(c->stream, c->in + c->len, c->used);
		sent = sent < 0 ? sent : coil_stream_write(c->stream, bytes, n);
		sent = sent < 0 ? sent : coil_stream_flush(c->stream);
	}
	c->used = 0;
	return (int)sent;
}

/* Heads are made without printf(), which would take longer than all else here. */
static char *put_number(char *to, unsigned long long n, unsigned base)
{
	to = n < base ? to : put_number(to, n / base, base);
	*to = "0123456789abcdef"[n % base];
	return to + 1;
}

/* Lines for the log that come while it waits for its reader are lost. */
static int reply(struct connection *c, int status, long long length, const char *rest)
{
	static char now[30];
	static time_t then;
	const struct request *r = &c->request;
	char *out = c->in + c->len, *to = out + c->used;

	if (then != time(NULL))
		strftime(now, sizeof(now), DATE, gmtime(&(time_t){ then = time(NULL) }));
	to = put_number(stpcpy(to, "HTTP/1.1 "), (unsigned)status, 10);
	to = stpcpy(stpcpy(to, " "), llhttp_status_name(status));
	to = stpcpy(stpcpy(to, "\r\nDate: "), now);
	to = stpcpy(to, r->keep ? "\r\nConnection: keep-alive" : "\r\nConnection: close");
	to = put_number(stpcpy(to, "\r\nContent-Length: "), (unsigned long long)length, 10);
	c->used = (size_t)(stpcpy(stpcpy(to, "\r\n"), rest) - out);
	if (log_stream)
		(void)!coil_stream_printf(log_stream, "%s - - [%s] \"%s %s\" %d %lld\n", c->peer,
					  now, llhttp_method_name(r->parser.method),
					  r->texts[TARGET], status, length);
	return 0;
}

/* The kernel sees to it that no path leads out of the root. */
static int open_beneath(const char *path, unsigned resolve)
{
	struct open_how how = { .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC };

	how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve;
	return (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
}

/* A name as a target, or as text. */
static void put_name(FILE *out, const char *name, bool target)
{
	for (; *name; name++) {
		unsigned char byte = (unsigned char)*name;
		bool same = target ? isalnum(byte) || strchr("-._~", byte) :
				!strchr("&<>\"'", byte);

		fprintf(out, same ? "%c" : target ? "%%%02X" : "&#%d;", byte);
	}
}

static void list_folder(struct connection *c, int fd)
{
	struct dirent **names = NULL;
	int n = scandirat(fd, ".", &names, NULL, alphasort);
	FILE *out = n < 0 ? NULL : open_memstream(&c->list, &c->size);

	for (int i = 0; i < n; free(names[i++])) {
		const char *name = names[i]->d_name, *end = names[i]->d_type == DT_DIR ? "/" : "";

		if (!out || !strcmp(name, "."))
			continue;
		fputs("<li><a href=\"", out);
		put_name(out, name, true);
		fprintf(out, "%s\">", end);
		put_name(out, name, false);
		fprintf(out, "%s</a>\n", end);
	}
	free(names);
	if (out)
		fclose(out);
}

static int find(void *arg)
{
	struct connection *c = arg;
	size_t len = strlen(c->path);
	bool folder = !len || c->path[len - 1] == '/';
	int fd;

	if (folder && c->cached)
		return -EAGAIN;
	if (folder)
		memcpy(c->path + len, "index.html", sizeof("index.html"));
	fd = open_beneath(c->path, c->cached);
	if (folder && fd < 0 && errno == ENOENT) {
		c->path[len] = '\0';
		fd = open_beneath(c->path, 0);
	}
	if (fd < 0)
		return c->cached ? -EAGAIN : -errno;
	if (fstat(fd, &c->stat)) {
		close(fd);
		return -EIO;
	}
	if (folder && S_ISDIR(c->stat.st_mode))
		list_folder(c, fd);
	return fd;
}

static int answer_file(struct connection *c, int fd)
{
	static char date[30];
	static time_t then;
	const char *dot = strrchr(c->path, '.');
	char rest[384], *etag, *end;
	long long size = c->stat.st_size, first = 0, last = size - 1;
	int type = 0, status;
	ssize_t n = 0;

	while (*types[type][0] && (!dot || strcasecmp(dot, types[type][0]) != 0))
		type++;
	etag = stpcpy(stpcpy(stpcpy(rest, "Content-Type: "), types[type][1]), "\r\nETag: ");
	end = put_number(stpcpy(etag, "\""), (unsigned long long)size, 16);
	end = put_number(stpcpy(end, "-"), (unsigned long long)c->stat.st_mtime, 16);
	end = put_number(stpcpy(end, "-"), (unsigned long)c->stat.st_mtim.tv_nsec, 16);
	end = stpcpy(end, "\"");
	if (!*date || then != c->stat.st_mtime) {
		const struct tm *tm = gmtime(&(time_t){ then = c->stat.st_mtime });

		/* One of a year that nobody can write has no date: 1970 is older than any. */
		if (!tm || !strftime(date, sizeof(date), DATE, tm))
			stpcpy(date, "Thu, 01 Jan 1970 00:00:00 GMT");
	}
	status = request_wants(&c->request, &c->stat, etag, &first, &last);
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
	/* What is small goes out together with its head, and other answers. */
	if (last - first < (long long)(OUT_SIZE - c->used)) {
		n = coil_pread(fd, c->in + c->len + c->used, (size_t)(last - first + 1), first);
		c->used += n > 0 ? (size_t)n : 0;
		return n == last - first + 1 ? 0 : n < 0 ? (int)n : -EIO;
	}
	n = send_out(c, "", 0);
	for (off_t at = first; n >= 0 && at <= last;) {
		size_t part = last - at < PART ? (size_t)(last - at + 1) : PART;

		COIL_TIMEOUT(patience)
			n = coil_sendfile(coil_stream_fd(c->stream), fd, &at, part);
		/* It became shorter meanwhile, and is not what was promised. */
		n = n ? n : -EIO;
	}
	return n < 0 ? (int)n : 0;
}

static int answer(struct connection *c)
{
	bool get = c->request.parser.method == HTTP_GET;
	const char *raw;
	int fd, err = 0;

	c->request.keep &= !coil_group_ending();
	if (hello)
		return reply(c, 200, 6, get ? "\r\nhello\n" : "\r\n");
	if (!get && c->request.parser.method != HTTP_HEAD)
		return reply(c, 405, 0, "Allow: GET, HEAD\r\n\r\n");
	c->list = NULL;
	c->cached = RESOLVE_CACHED;
	fd = request_path(&c->request, c->path, &raw) ? -EINVAL : find(c);
	c->cached = 0;
	if (fd == -EAGAIN)
		fd = coil_to_thread(find, c);
	if (fd < 0)
		return reply(c, fd == -EINVAL ? 400 : fd == -EACCES ? 403 :
			     fd == -EMFILE || fd == -ENFILE ? 503 : 404, 0, "\r\n");
	if (S_ISREG(c->stat.st_mode)) {
		err = answer_file(c, fd);
	} else if (c->list) {
		reply(c, 200, (long long)c->size,
		      "Content-Type: text/html; charset=utf-8\r\n\r\n");
		err = get ? send_out(c, c->list, c->size) : 0;
	} else if (S_ISDIR(c->stat.st_mode)) {
		snprintf(c->path, sizeof(c->path), "Location: /%.*s/%s\r\n\r\n",
			 (int)strcspn(raw, "?"), raw, raw + strcspn(raw, "?"));
		reply(c, 301, 0, c->path);
	} else {
		reply(c, 403, 0, "\r\n");
	}
	free(c->list);
	coil_close(fd);
	return err;
}

/* 0 at the end, a negative errno, or a status to refuse with. */
static int converse(struct connection *c)
{
	struct request *r = &c->request;
	bool keep = true;
	ptrdiff_t n;
	size_t at;
	int err = 0;

	do {
		/* However slowly a head comes, it has so long in all. */
		COIL_TIMEOUT(patience) {
			while (!(n = request_parse(r, c->in, c->len))) {
				if (c->len == IN_SIZE)
					return 431;
				n = coil_stream_read(c->stream, c->in + c->len, IN_SIZE - c->len);
				if (n <= 0)
					return c->len && n == -ETIMEDOUT ? 408 : (int)n;
				c->len += (size_t)n;
			}
		}
		/* What has come is answered, and sent at once, whoever wants us to end. */
		COIL_SHIELD(COIL_FOREVER) {
			at = 0;
			while (n > 0 && !err) {
				err = answer(c);
				err = err || c->used <= OUT_SIZE / 4 ? err : send_out(c, "", 0);
				at += (size_t)n;
				keep = r->keep;
				n = keep ? request_parse(r, c->in + at, c->len - at) : 0;
			}
			err = err ? err : send_out(c, "", 0);
			c->len -= at;
			memmove(c->in, c->in + at, c->len);
		}
	} while (!err && !n && keep);
	return err ? err : n ? 400 : 0;
}

static int serve(struct coil_stream *stream, void *arg)
{
	struct connection c;
	int status;

	request_init(&c.request);
	c.stream = stream;
	c.len = c.used = 0;
	c.peer[0] = '\0';
	(void)!coil_peer_address(coil_stream_fd(stream), c.peer, sizeof(c.peer));
	status = converse(&c);
	if (status < 0)
		return -ECANCELED;
	/* Closed with bytes unread it would be reset, and the answer lost on the way. */
	COIL_TIMEOUT(2 * COIL_SECOND) {
		if ((!status || !reply(&c, status, 0, "\r\n")) && !send_out(&c, "", 0) &&
		    !coil_stream_shutdown(stream))
			while (coil_stream_read(stream, c.in, IN_SIZE) > 0)
				;
	}
	return 0;
}

static int run(void *arg)
{
	struct coil_server *server = coil_start_server(arg, serve, NULL, NULL);
	char text[COIL_ADDRESS_SIZE] = "";
	int err;

	if (!server)
		return -errno;
	log_stream = quiet ? NULL : coil_stream_open(fcntl(1, F_DUPFD_CLOEXEC, 0));
	(void)!coil_local_address(coil_server_fd(server, 0), text, sizeof(text));
	fprintf(stderr, "listening on %s\n", text);
	err = coil_serve_forever(server);
	coil_server_close(server, 0);
	COIL_SHIELD(COIL_SECOND)
		coil_stream_close(log_stream);
	return err;
}

int main(int argc, char *argv[])
{
	static const struct option names[] = {
		{ "address", required_argument, NULL, 'a' },
		{ "root", required_argument, NULL, 'r' },
		{ "timeout", required_argument, NULL, 't' },
		{ "hello", no_argument, &hello, 1 }, { "quiet", no_argument, &quiet, 1 },
		{ NULL, 0, NULL, 0 },
	};
	char *values[] = { ['a'] = "127.0.0.1:8080", ['r'] = ".", ['t'] = "10" };
	sigset_t signals;
	const struct coil_options options = { .stop_signals = &signals };
	int option, err;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == '?')
			return 2;
		values[option] = optarg;
	}
	patience = strtol(values['t'], NULL, 10) * COIL_SECOND;
	root = open(values['r'], O_PATH | O_DIRECTORY | O_CLOEXEC);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	err = root < 0 || open_beneath("", 0) < 0 ? -errno :
		coil_run_with(&options, run, values['a']);
	if (err && err != -EINTR)
		fprintf(stderr, "httpd: %s at %s: %s\n", values['r'], values['a'], strerror(-err));
	return err && err != -EINTR;
}
