/* SPDX-License-Identifier: MIT */
/*
 * Requests as the example httpd reads them.  The first byte says how many bytes
 * come at a time; the rest is what a client sends.  However it is cut the requests
 * are the same, and no path leads out of the root.
 */
#include "examples/httpd.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t seen;		/* what the answers were given to */
static const char *from, *to;	/* where views may be */

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void mix(uint64_t number)
{
	seen = (seen ^ number) * UINT64_C(1099511628211);
}

static void check_path(const char *path)
{
	must(strlen(path) < PATH_SIZE && *path != '/' && !strstr(path, "//"));
	for (const char *at = path; *at; at += strcspn(at, "/"), at += *at == '/') {
		size_t len = strcspn(at, "/");

		must(!(len == 1 && at[0] == '.'));
		must(!(len == 2 && at[0] == '.' && at[1] == '.'));
		mix(len);
	}
}

static int answer(struct request *r)
{
	const struct stat file = { .st_size = 1000, .st_mtim.tv_sec = 1580702706 };
	char path[PATH_SIZE];
	struct view query;
	off_t first, last;
	int status;

	for (int i = 0; i < VIEWS; i++) {
		const struct view *view = &r->views[i];

		if (!view->at)
			continue;
		must(view->at >= from && view->at + view->len <= to);
		for (size_t at = 0; at < view->len; at++)
			mix((unsigned char)view->at[at]);
	}
	mix(r->parser.method);
	mix(r->keep);
	status = request_path(r, path, &query);
	must(!status || status == 400 || status == 404 || status == 414);
	if (!status)
		check_path(path);
	status = request_wants(r, &file, "\"tag\"", &first, &last);
	must(status == 200 || status == 206 || status == 304 || status == 416);
	must(status != 206 || (first >= 0 && first <= last && last < file.st_size));
	return 0;
}

static uint64_t parse(const char *bytes, size_t size, size_t piece)
{
	struct request r;
	int status = 0;

	seen = UINT64_C(14695981039346656037);
	from = bytes;
	request_init(&r, answer);
	for (size_t at = 0; at < size && !status; at += piece) {
		if (piece > size - at)
			piece = size - at;
		to = bytes + at + piece;
		status = request_parse(&r, bytes + at, piece);
		must(status == 0 || status == -1 || (status >= 400 && status < 506));
		if (!piece)
			break;
	}
	mix((uint64_t)status);
	return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data + 1;

	if (size < 2)
		return 0;
	must(parse(bytes, size - 1, data[0] + 1u) == parse(bytes, size - 1, size - 1));
	return 0;
}
