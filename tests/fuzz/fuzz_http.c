/* SPDX-License-Identifier: MIT */
/*
 * Requests as the example httpd reads them.  The first byte says how many bytes
 * come at a time; the rest is what a client sends.  However it is cut the requests
 * are the same, all that is kept of one lies in its bytes, and a head ends once: no
 * other reader of the same bytes can find two in it.
 */
#include "examples/httpd_request.h"
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t seen;		/* what answers would have been given to */

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void mix(uint64_t number)
{
	seen = (seen ^ number) * UINT64_C(1099511628211);
}

/* As it came: the texts of a head are ended in place. */
static void must_be_one(const uint8_t *from, size_t n)
{
	must(n >= 4 && memmem(from, n, "\r\n\r\n", 4) == from + n - 4);
	for (size_t i = 0; i < n; i++) {
		must(from[i] != '\n' || (i && from[i - 1] == '\r'));
		must(from[i] && (from[i] != '\r' || from[i + 1] == '\n'));
		must(i == n - 1 || from[i] != '\n' || (from[i + 1] != ' ' && from[i + 1] != '\t'));
	}
}

static void answer(const struct request *r, const char *from, size_t n)
{
	const struct stat file = { .st_size = 1000, .st_mtim.tv_sec = 1580702706 };
	char *path = malloc(n);
	long long first = 0, last = file.st_size - 1;
	const char *raw;
	int status;

	must(!(r->parser.flags & F_TRANSFER_ENCODING));
	for (int i = 0; i < TEXTS; i++) {
		const char *text = r->texts[i];

		must(!*text || (text >= from && text + strlen(text) < from + n));
		for (; *text; text++)
			mix((unsigned char)*text);
	}
	mix(r->parser.method);
	mix(r->keep);
	must(path);
	status = request_path(r, path, &raw);
	must(!status || status == 400);
	if (!status)
		mix(strlen(path) + strlen(raw));
	free(path);
	status = request_wants(r, &file, "\"tag\"", &first, &last);
	must(status == 200 || status == 206 || status == 304 || status == 416);
	must(status != 206 || (first >= 0 && first <= last && last < file.st_size));
}

/* A copy, as what is read is written to; its end is where a sanitizer sees it. */
static uint64_t parse(const uint8_t *data, size_t size, size_t piece)
{
	char *bytes = malloc(size);
	struct request r;
	size_t at = 0, came = 0;
	ptrdiff_t n = 0;

	must(bytes);
	memcpy(bytes, data, size);
	seen = UINT64_C(14695981039346656037);
	while (n >= 0 && came < size) {
		came = came + piece < size ? came + piece : size;
		while ((n = request_parse(&r, bytes + at, came - at)) > 0) {
			must_be_one(data + at, (size_t)n);
			answer(&r, bytes + at, (size_t)n);
			at += (size_t)n;
			if (!r.keep)
				came = size;
			if (!r.keep)
				break;
		}
	}
	mix(n < 0);
	free(bytes);
	return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	must(parse(data + 1, size - 1, data[0] + 1u) == parse(data + 1, size - 1, size - 1));
	return 0;
}
