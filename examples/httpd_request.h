/* SPDX-License-Identifier: MIT */
/* The requests of httpd: parses heads by llhttp, and interprets them. */
#pragma once
#include <ctype.h>
#include <llhttp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DATE "%a, %d %b %Y %H:%M:%S GMT"
/* The texts that are kept of a head.  "" means absent. */
enum { TARGET, FIELD, RANGE, IF_RANGE, IF_NONE_MATCH, IF_MODIFIED_SINCE, TEXTS };

struct request {
	llhttp_t parser;	/* first: callbacks cast it to the request */
	bool keep;		/* keep the connection after the answer */
	unsigned hosts;		/* number of Host fields */
	char *texts[TEXTS];	/* point into the parsed bytes, terminated there */
	size_t len[TEXTS];
};

static int keep_text(llhttp_t *parser, int which, const char *at, size_t n)
{
	struct request *r = (struct request *)parser;

	r->texts[which] = (char *)(n ? at : "");
	r->len[which] = n;
	return 0;
}

static int on_url(llhttp_t *parser, const char *at, size_t n)
{
	return keep_text(parser, TARGET, at, n);
}

static int on_header_field(llhttp_t *parser, const char *at, size_t n)
{
	((struct request *)parser)->hosts += n == 4 && !strncasecmp(at, "host", 4);
	return keep_text(parser, FIELD, at, n);
}

static int on_header_value(llhttp_t *parser, const char *at, size_t n)
{
	static const struct { const char *name; size_t n; } kept[TEXTS] = {
		[RANGE] = { "range", 5 }, [IF_RANGE] = { "if-range", 8 },
		[IF_NONE_MATCH] = { "if-none-match", 13 },
		[IF_MODIFIED_SINCE] = { "if-modified-since", 17 },
	};
	const struct request *r = (const struct request *)parser;

	for (int i = RANGE; i < TEXTS; i++) {
		if (kept[i].n == r->len[FIELD] &&
		    !strncasecmp(kept[i].name, r->texts[FIELD], kept[i].n))
			keep_text(parser, i, at, n);
	}
	return 0;
}

/*
 * Pauses the parser, so that one call parses one head, and the next call what follows.
 * A request with a body ends the connection: the body is not read.  Upgrades are ignored.
 */
static int on_headers_complete(llhttp_t *parser)
{
	struct request *r = (struct request *)parser;

	r->keep = llhttp_should_keep_alive(parser) && parser->method != HTTP_CONNECT &&
		!parser->content_length;
	return HPE_PAUSED;
}

static const llhttp_settings_t request_settings = {
	.on_url = on_url, .on_header_field = on_header_field,
	.on_header_value = on_header_value, .on_headers_complete = on_headers_complete,
};

/*
 * llhttp accepts some heads that another parser may interpret differently: a line that
 * ends in LF alone or continues in the next one, blanks before a colon, control
 * characters.  Returns false for these, in a head or the beginning of one.
 */
static bool request_is_plain(const char *bytes, size_t n)
{
	enum { FIRST_LINE, NAME, VALUE } part = FIRST_LINE;
	/* An empty line may come before the first one. */
	size_t i = n >= 2 && !memcmp(bytes, "\r\n", 2) ? 2 : 0;

	for (; i < n; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		if (byte == '\r' ? i + 1 < n && bytes[i + 1] != '\n' :
		    byte == '\n' ? !i || bytes[i - 1] != '\r' :
		    byte == ' ' ? part == NAME :
		    byte == '\t' ? part != VALUE : byte < ' ' || byte == 0x7f)
			return false;
		if (byte == '\n')
			part = NAME;
		else if (byte == ':' && part == NAME)
			part = VALUE;
	}
	return true;
}

/* Returns whether exactly these n bytes are a head that has only one interpretation. */
static bool request_is_good(struct request *r, const char *bytes, size_t n)
{
	llhttp_init(&r->parser, HTTP_REQUEST, &request_settings);
	return request_is_plain(bytes, n) &&
		llhttp_execute(&r->parser, bytes, n) == HPE_PAUSED &&
		llhttp_get_error_pos(&r->parser) == bytes + n &&
		!(r->parser.flags & (F_CHUNKED | F_TRANSFER_ENCODING)) &&
		r->len[TARGET] && r->parser.http_major == 1 &&
		r->hosts <= 1 && r->hosts >= r->parser.http_minor;
}

/* Returns the length of the head at bytes, 0 if it is incomplete, -400 if it is bad. */
static ptrdiff_t request_parse(struct request *r, char *bytes, size_t n)
{
	const char *end = memmem(bytes, n, "\r\n\r\n", 4);

	r->keep = false;
	r->hosts = 0;
	for (int i = 0; i < TEXTS; i++)
		keep_text(&r->parser, i, "", 0);
	if (!end)
		return request_is_plain(bytes, n) ? 0 : -400;
	n = (size_t)(end - bytes) + 4;
	if (!request_is_good(r, bytes, n)) {
		r->keep = false;
		keep_text(&r->parser, TARGET, "", 0);
		return -400;
	}
	/* Each text is followed by a space or an end of line, which the 0 replaces. */
	for (int i = 0; i < TEXTS; i++) {
		if (r->len[i])
			r->texts[i][r->len[i]] = '\0';
	}
	return (ptrdiff_t)n;
}

/*
 * Returns 0 or an HTTP status.  path has room for a target.  *raw becomes the target with
 * its query, not decoded.
 */
static int request_path(const struct request *r, char *path, const char **raw)
{
	const char *at = r->texts[TARGET];

	if (!strncasecmp(at, "http://", 7))
		at += 7 + strcspn(at + 7, "/?");
	else if (*at != '/')
		return 400;
	at += strspn(at, "/");
	for (*raw = at; *at && *at != '?'; path++) {
		*path = *at++;
		if (*path == '%') {
			char hex[3] = { at[0], at[0] ? at[1] : '\0' };

			if (strspn(hex, "0123456789abcdefABCDEF") != 2)
				return 400;
			*path = (char)strtoul(hex, NULL, 16);
			at += 2;
		}
		if (!*path)
			return 400;
	}
	*path = '\0';
	return 0;
}

/* Parses one range.  Ignores an invalid range and several ones, as RFC 9110 allows. */
static int parse_range(char *at, long long size, long long *first, long long *last)
{
	long long from, to;

	if (strncasecmp(at, "bytes=", 6) != 0)
		return 200;
	at += 6;
	from = isdigit((unsigned char)*at) ? strtoll(at, &at, 10) : -1;
	if (*at++ != '-')
		return 200;
	to = isdigit((unsigned char)*at) ? strtoll(at, &at, 10) : -1;
	if (*at || (from < 0 && to < 0) || (to >= 0 && to < from))
		return 200;
	if (from < 0 ? !to || !size : from >= size)
		return 416;
	*first = from >= 0 ? from : to < size ? size - to : 0;
	*last = from < 0 || to < 0 || to >= size ? size - 1 : to;
	return 206;
}

/* Returns 304, 200, 416, or 206 with *first and *last of the wanted range. */
static int request_wants(const struct request *r, const struct stat *file, const char *etag,
			 long long *first, long long *last)
{
	const char *tags = r->texts[IF_NONE_MATCH], *same = r->texts[IF_RANGE];
	const char *since = r->texts[IF_MODIFIED_SINCE];
	struct tm tm = {0};

	if (*tags ? !strcmp(tags, "*") || strstr(tags, etag) : *since &&
	    strptime(since, DATE, &tm) && timegm(&tm) >= file->st_mtime)
		return 304;
	if (r->parser.method != HTTP_GET || (*same && strcmp(same, etag) != 0))
		return 200;
	return parse_range(r->texts[RANGE], file->st_size, first, last);
}
