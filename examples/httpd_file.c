/* SPDX-License-Identifier: MIT */
/*
 * Files of httpd: found below the root and nowhere else, and sent, or listed.
 * What may have to wait for a disk is done by a thread.
 */
#include "httpd.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

static const struct { const char *end, *type; } types[] = {
	{ ".html", "text/html; charset=utf-8" }, { ".htm", "text/html; charset=utf-8" },
	{ ".css", "text/css" }, { ".js", "text/javascript" }, { ".mjs", "text/javascript" },
	{ ".json", "application/json" }, { ".txt", "text/plain; charset=utf-8" },
	{ ".md", "text/plain; charset=utf-8" }, { ".xml", "text/xml" },
	{ ".svg", "image/svg+xml" }, { ".png", "image/png" }, { ".jpg", "image/jpeg" },
	{ ".jpeg", "image/jpeg" }, { ".gif", "image/gif" }, { ".webp", "image/webp" },
	{ ".ico", "image/x-icon" }, { ".pdf", "application/pdf" }, { ".mp4", "video/mp4" },
	{ ".mp3", "audio/mpeg" }, { ".wasm", "application/wasm" }, { ".gz", "application/gzip" },
	{ ".zip", "application/zip" }, { ".woff2", "font/woff2" },
};

static const char *type_of(const char *path)
{
	const char *end = strrchr(path, '.');

	for (size_t i = 0; end && i < sizeof(types) / sizeof(*types); i++) {
		if (!strcasecmp(end, types[i].end))
			return types[i].type;
	}
	return "application/octet-stream";
}

/*
 * Opening.
 */

struct opening {
	int root;
	const char *path;
	struct open_how how;
};

static int open_beneath(void *arg)
{
	struct opening *o = arg;
	long fd = syscall(SYS_openat2, o->root, o->path, &o->how, sizeof(o->how));

	return fd < 0 ? -errno : (int)fd;
}

static int step(int dir, const char *name, size_t len, int flags)
{
	char text[NAME_MAX + 1];
	int fd;

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	snprintf(text, sizeof(text), "%.*s", (int)len, name);
	fd = openat(dir, text, flags | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* For kernels that cannot: name by name, and through no symbolic link at all. */
static int walk(void *arg)
{
	const struct opening *o = arg;
	const int folder = O_PATH | O_DIRECTORY, file = (int)o->how.flags;
	int fd = step(o->root, ".", 1, folder), dir;
	const char *at = o->path;

	while (fd >= 0 && *at) {
		size_t len = strcspn(at, "/");

		dir = fd;
		fd = step(dir, at, len, at[len] ? folder : file);
		close(dir);
		at += len;
		/* What ends in a slash is so far only a place, and not open. */
		if (fd >= 0 && *at && !*++at) {
			dir = fd;
			fd = step(dir, ".", 1, file);
			close(dir);
		}
	}
	return fd;
}

/* What the kernel has in its caches is opened at once, the rest by a thread. */
static int open_file(int root, const char *path)
{
	struct opening o = { root, *path ? path : ".", {
		.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED,
	} };
	int fd = open_beneath(&o);

	if (fd == -EAGAIN || fd == -EINVAL) {
		o.how.resolve &= ~(unsigned)RESOLVE_CACHED;
		fd = coil_to_thread(open_beneath, &o);
	}
	return fd == -ENOSYS || fd == -EPERM ? coil_to_thread(walk, &o) : fd;
}

static int fail(struct connection *c, int err)
{
	switch (err) {
	case -ENOENT: case -ENOTDIR: case -ENAMETOOLONG: case -ELOOP: case -EXDEV: case -ENXIO:
		return reply(c, 404, "");
	case -EACCES: case -EPERM:
		return reply(c, 403, "");
	case -ECANCELED: case -ETIMEDOUT:
		return err;
	case -EMFILE: case -ENFILE: case -ENOMEM: case -EAGAIN:
		return reply(c, 503, "Retry-After: 1\r\n");
	default:
		return reply(c, 500, "");
	}
}

/*
 * Listing.
 */

struct listing {
	int fd;
	const char *path;
	char *text;
	size_t size;
};

static void put_url(FILE *out, const char *name)
{
	for (; *name; name++) {
		if ((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
		    (*name >= '0' && *name <= '9') || strchr("-._~/", *name))
			fputc(*name, out);
		else
			fprintf(out, "%%%02X", (unsigned char)*name);
	}
}

static void put_html(FILE *out, const char *name)
{
	for (; *name; name++) {
		if (strchr("&<>\"'", *name))
			fprintf(out, "&#%d;", *name);
		else
			fputc(*name, out);
	}
}

static int is_shown(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Run by a thread, as a large folder takes its time. */
static int list_folder(void *arg)
{
	struct listing *list = arg;
	FILE *out = open_memstream(&list->text, &list->size);
	struct dirent **entries;
	int n = out ? scandirat(list->fd, ".", &entries, is_shown, alphasort) : -1;
	int err = n < 0 ? -errno : 0;

	if (!out)
		return err;
	fprintf(out, "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>/");
	put_html(out, list->path);
	fprintf(out, "</title>\n<ul>\n");
	if (*list->path)
		fprintf(out, "<li><a href=\"../\">../</a>\n");
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name, *slash = "";
		struct stat stat;

		if (!fstatat(list->fd, name, &stat, 0) && S_ISDIR(stat.st_mode))
			slash = "/";
		fprintf(out, "<li><a href=\"");
		put_url(out, name);
		fprintf(out, "%s\">", slash);
		put_html(out, name);
		fprintf(out, "%s</a>\n", slash);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	fprintf(out, "</ul>\n");
	return fclose(out) ? -errno : err;
}

static int answer_listing(struct connection *c, int fd, const char *path)
{
	struct listing list = { .fd = fd, .path = path };
	int err = coil_to_thread(list_folder, &list);

	if (!err)
		err = reply_head(c, 200, (off_t)list.size,
				 "Content-Type: text/html; charset=utf-8\r\n");
	else
		err = fail(c, err);
	if (!err && list.text && c->request.parser.method != HTTP_HEAD)
		err = send_bytes(c, list.text, list.size);
	free(list.text);
	return err;
}

static int redirect(struct connection *c, const char *path, struct view query)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int err = -ENOMEM;

	if (!out)
		return err;
	fprintf(out, "Location: /");
	put_url(out, path);
	fprintf(out, "/%.*s\r\n", (int)query.len, query.at);
	if (!fclose(out))
		err = reply(c, 301, text);
	free(text);
	return err;
}

/*
 * Sending.
 */

/* What is small goes with the head, and the rest without being copied. */
static int send_file(struct connection *c, int fd, off_t at, off_t size)
{
	ssize_t n;
	int err;

	if (size <= (off_t)(OUT_SIZE - c->used)) {
		for (; size > 0; size -= n, at += n, c->used += (size_t)n) {
			n = coil_pread(fd, c->out + c->used, (size_t)size, at);
			if (n <= 0)
				return n ? (int)n : -EIO;
		}
		return 0;
	}
	err = send_out(c);
	if (!err)
		err = coil_stream_flush(c->stream);
	while (!err && size > 0) {
		allow(c, 60 * COIL_SECOND);
		n = coil_sendfile(coil_stream_fd(c->stream), fd, &at,
				  size < 1 << 20 ? (size_t)size : 1 << 20);
		/* It became shorter meanwhile, and is not what was promised. */
		if (n <= 0)
			err = n ? (int)n : -EIO;
		size -= n;
	}
	return err;
}

static int answer_open(struct connection *c, int fd, const struct stat *file, const char *path)
{
	const struct request *r = &c->request;
	char etag[64], modified[30], range[80] = "";
	off_t first, last;
	int status, err;

	snprintf(etag, sizeof(etag), "\"%llx-%llx-%llx\"", (unsigned long long)file->st_ino,
		 (unsigned long long)file->st_size,
		 file->st_mtim.tv_sec * 1000000000ULL + (unsigned long long)file->st_mtim.tv_nsec);
	format_date(modified, file->st_mtim.tv_sec);
	status = request_wants(r, file, etag, &first, &last);
	if (status == 416) {
		snprintf(range, sizeof(range), "Content-Range: bytes */%lld\r\n",
			 (long long)file->st_size);
		return reply(c, 416, range);
	}
	if (status == 206)
		snprintf(range, sizeof(range), "Content-Range: bytes %lld-%lld/%lld\r\n",
			 (long long)first, (long long)last, (long long)file->st_size);
	err = reply_head(c, status, status == 304 ? -1 : last - first + 1,
			 "Content-Type: %s\r\nETag: %s\r\nLast-Modified: %s\r\n"
			 "Accept-Ranges: bytes\r\n%s", type_of(path), etag, modified, range);
	if (err || status == 304 || r->parser.method == HTTP_HEAD)
		return err;
	return send_file(c, fd, first, last - first + 1);
}

int answer_file(struct connection *c, int root)
{
	char path[PATH_SIZE];
	struct stat file;
	struct view query;
	int status = request_path(&c->request, path, &query), fd, index, err;
	size_t len;

	if (status)
		return reply(c, status, "");
	fd = open_file(root, path);
	if (fd < 0)
		return fail(c, fd);
	len = strlen(path);
	if (fstat(fd, &file)) {
		err = fail(c, -errno);
	} else if (S_ISREG(file.st_mode)) {
		err = answer_open(c, fd, &file, path);
	} else if (!S_ISDIR(file.st_mode)) {
		err = reply(c, 403, "");
	} else if (len && path[len - 1] != '/') {
		err = redirect(c, path, query);
	} else {
		index = open_file(fd, "index.html");
		if (index >= 0 && !fstat(index, &file) && S_ISREG(file.st_mode))
			err = answer_open(c, index, &file, "index.html");
		else
			err = index < 0 && index != -ENOENT ? fail(c, index) :
				answer_listing(c, fd, path);
		if (index >= 0)
			coil_close(index);
	}
	coil_close(fd);
	return err;
}
