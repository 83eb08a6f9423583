/* SPDX-License-Identifier: MIT */
/*
 * Requests of httpd: llhttp's callbacks, and what targets, ranges and conditions
 * mean.  Nothing is copied: a header is a view of the connection's buffer.
 */
#include "httpd.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const names[VIEWS] = {
	[HOST] = "host", [RANGE] = "range", [IF_RANGE] = "if-range",
	[IF_NONE_MATCH] = "if-none-match",
	[IF_MODIFIED_SINCE] = "if-modified-since", [EXPECT] = "expect",
	[REFERER] = "referer", [USER_AGENT] = "user-agent",
};

bool view_is(struct view view, const char *text)
{
	return view.at && view.len == strlen(text) && !strncasecmp(view.at, text, view.len);
}

/* It may come in pieces, which lie one behind the other. */
static int extend(struct view *view, const char *at, size_t n)
{
	if (!view->at)
		view->at = at;
	view->len = (size_t)(at + n - view->at);
	return 0;
}

static struct view *views(llhttp_t *parser)
{
	return ((struct request *)parser)->views;
}

static int on_message_begin(llhttp_t *parser)
{
	struct request *r = (struct request *)parser;

	r->phase = HEAD;
	r->number++;
	r->body = 0;
	r->two_hosts = false;
	memset(r->views, 0, sizeof(r->views));
	return 0;
}

static int on_url(llhttp_t *parser, const char *at, size_t n)
{
	return extend(&views(parser)[TARGET], at, n);
}

static int on_header_field(llhttp_t *parser, const char *at, size_t n)
{
	return extend(&views(parser)[FIELD], at, n);
}

static int on_header_value(llhttp_t *parser, const char *at, size_t n)
{
	return extend(&views(parser)[VALUE], at, n);
}

static int on_header_value_complete(llhttp_t *parser)
{
	struct request *r = (struct request *)parser;
	struct view field = r->views[FIELD], value = r->views[VALUE];

	while (value.len && isspace((unsigned char)value.at[value.len - 1]))
		value.len--;
	for (int i = HOST; i < VIEWS; i++) {
		if (!view_is(field, names[i]))
			continue;
		r->two_hosts |= i == HOST && r->views[HOST].at;
		r->views[i] = value;
		if (!value.at)
			r->views[i].at = field.at;
		break;
	}
	r->views[FIELD] = r->views[VALUE] = (struct view){0};
	return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
	struct request *r = (struct request *)parser;

	r->phase = BODY;
	r->keep = llhttp_should_keep_alive(parser);
	return r->answer(r);
}

static int on_body(llhttp_t *parser, const char *at, size_t n)
{
	struct request *r = (struct request *)parser;

	r->body += n;
	return r->body > BODY_MOST ? -1 : 0;
}

static int on_message_complete(llhttp_t *parser)
{
	struct request *r = (struct request *)parser;

	r->phase = BETWEEN;
	return r->keep ? 0 : -1;
}

static const llhttp_settings_t settings = {
	.on_message_begin = on_message_begin,
	.on_url = on_url,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_header_value_complete = on_header_value_complete,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

void request_init(struct request *r, int (*answer)(struct request *r))
{
	memset(r, 0, sizeof(*r));
	r->answer = answer;
	llhttp_init(&r->parser, HTTP_REQUEST, &settings);
}

/* The bytes lie elsewhere now. */
void request_move(struct request *r, ptrdiff_t by)
{
	for (int i = 0; i < VIEWS; i++) {
		if (r->views[i].at)
			r->views[i].at += by;
	}
}

int request_parse(struct request *r, const char *bytes, size_t n)
{
	enum llhttp_errno err = llhttp_execute(&r->parser, bytes, n);
	const char *end = bytes + n, *at;

	/* We speak nothing else, so what follows is HTTP. */
	while (err == HPE_PAUSED_UPGRADE) {
		at = llhttp_get_error_pos(&r->parser);
		llhttp_resume_after_upgrade(&r->parser);
		err = llhttp_execute(&r->parser, at, (size_t)(end - at));
	}
	if (err == HPE_OK)
		return 0;
	r->keep = false;
	if (r->phase != HEAD || err == HPE_USER)
		return -1;
	at = llhttp_get_error_pos(&r->parser);
	if (err == HPE_INVALID_METHOD)
		return at && at < end && isalpha((unsigned char)*at) ? 501 : 400;
	return err == HPE_INVALID_VERSION || err == HPE_PAUSED_H2_UPGRADE ? 505 : 400;
}

static int hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* Decodes a segment to the end of path: 0 or a status. */
static int decode(struct view segment, char *path, size_t *len)
{
	const char *at = segment.at, *end = at + segment.len;

	while (at < end) {
		char c = *at++;

		if (c == '%') {
			if (end - at < 2 || !isxdigit((unsigned char)at[0]) ||
			    !isxdigit((unsigned char)at[1]))
				return 400;
			c = (char)(hex(at[0]) << 4 | hex(at[1]));
			at += 2;
		}
		/* No file has such a name. */
		if (!c || c == '/')
			return c ? 404 : 400;
		if (*len + 2 >= PATH_SIZE)
			return 414;
		path[(*len)++] = c;
	}
	return 0;
}

/* Takes . and .. for what they mean, so that no path has any. */
static int add_segment(struct view segment, bool last, char *path, size_t *len)
{
	size_t start = *len, size;
	int status = decode(segment, path, len);

	size = *len - start;
	if (status || !size)
		return status;
	if (path[start] == '.' && (size == 1 || (size == 2 && path[start + 1] == '.'))) {
		*len = start;
		if (size == 2 && !start)
			return 400;
		/* Behind the slash before the last one. */
		while (size == 2 && *len && (*len == start || path[*len - 1] != '/'))
			(*len)--;
		return 0;
	}
	if (!last)
		path[(*len)++] = '/';
	return 0;
}

int request_path(const struct request *r, char path[PATH_SIZE], struct view *query)
{
	struct view target = r->views[TARGET];
	const char *at = target.at, *end = at + target.len, *stop;
	size_t len = 0;
	int status;

	/* As a proxy has it: http://host/path. */
	if (target.len > 7 && !strncasecmp(at, "http://", 7)) {
		for (at += 7; at < end && *at != '/' && *at != '?'; at++)
			;
	} else if (!target.len || *at != '/') {
		return 400;
	}
	stop = memchr(at, '?', (size_t)(end - at));
	*query = (struct view){ stop ? stop : end, stop ? (size_t)(end - stop) : 0 };
	end = query->at;
	while (at < end && *at == '/') {
		const char *slash = memchr(at + 1, '/', (size_t)(end - at) - 1);
		struct view segment = { at + 1, (size_t)((slash ? slash : end) - at) - 1 };

		status = add_segment(segment, !slash, path, &len);
		if (status)
			return status;
		at += 1 + segment.len;
	}
	path[len] = '\0';
	return 0;
}

void format_date(char text[30], time_t when)
{
	struct tm tm;

	strftime(text, 30, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&when, &tm));
}

/* Three forms are in use; -1 for none of them. */
static time_t parse_date(struct view view)
{
	static const char *const forms[] = {
		"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y",
	};
	char text[64];

	if (view.len >= sizeof(text))
		return -1;
	memcpy(text, view.at, view.len);
	text[view.len] = '\0';
	for (int i = 0; i < 3; i++) {
		struct tm tm = {0};
		const char *end = strptime(text, forms[i], &tm);

		if (end && !*end)
			return timegm(&tm);
	}
	return -1;
}

/* Whether a list of tags has this one, or all there are. */
static bool lists(struct view list, const char *etag)
{
	return view_is(list, "*") || memmem(list.at, list.len, etag, strlen(etag));
}

/* Digits at *at: the number, or -1 without any, or too many. */
static off_t number(const char **at, const char *end)
{
	off_t n = *at < end && isdigit((unsigned char)**at) ? 0 : -1;

	for (; *at < end && isdigit((unsigned char)**at); ++*at)
		n = n < 0 || n > INT64_MAX / 10 - 1 ? INT64_MAX : n * 10 + (**at - '0');
	return n;
}

/* One range.  What is none, and several, is passed over, as one may. */
static int parse_range(struct view range, off_t size, off_t *first, off_t *last)
{
	const char *at = range.at + 6, *end = range.at + range.len;
	off_t from, to;

	if (range.len <= 6 || strncasecmp(range.at, "bytes=", 6))
		return 200;
	from = number(&at, end);
	if (at == end || *at++ != '-')
		return 200;
	to = number(&at, end);
	if (at != end || (from < 0 && to < 0) || (from >= 0 && to >= 0 && to < from))
		return 200;
	if (from < 0 ? !to || !size : from >= size)
		return 416;
	*first = from >= 0 ? from : to < size ? size - to : 0;
	*last = from < 0 || to < 0 || to >= size ? size - 1 : to;
	return 206;
}

int request_wants(const struct request *r, const struct stat *file, const char *etag,
		  off_t *first, off_t *last)
{
	const struct view *v = r->views;

	*first = 0;
	*last = file->st_size - 1;
	if (v[IF_NONE_MATCH].at ? lists(v[IF_NONE_MATCH], etag) :
	    v[IF_MODIFIED_SINCE].at &&
	    parse_date(v[IF_MODIFIED_SINCE]) >= file->st_mtim.tv_sec)
		return 304;
	if (!v[RANGE].at || r->parser.method != HTTP_GET)
		return 200;
	if (v[IF_RANGE].at && !view_is(v[IF_RANGE], etag) &&
	    parse_date(v[IF_RANGE]) != file->st_mtim.tv_sec)
		return 200;
	return parse_range(v[RANGE], file->st_size, first, last);
}
