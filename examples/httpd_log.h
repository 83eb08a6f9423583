/* SPDX-License-Identifier: MIT */
/* The log of httpd: a line for each request, in the common log format. */
#pragma once
#include "httpd_request.h"
#include "log.h"

enum { LOG_LINE = 1024 };

static struct log requests;

/* Heads are built without printf(), which would take longer than everything else here. */
static char *put_number(char *to, unsigned long long n, unsigned base)
{
	to = n < base ? to : put_number(to, n / base, base);
	*to = "0123456789abcdef"[n % base];
	return to + 1;
}

/* Writes a client's text in at most room bytes, escaped so that it cannot forge a line. */
static char *put_field(char *to, const char *text, size_t room)
{
	const char *end = to + room - strlen("...") - strlen("\\xff");

	for (; *text && to < end; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte >= ' ' && byte < 0x7f && byte != '"' && byte != '\\')
			*to++ = (char)byte;
		else
			to = put_number(stpcpy(to, byte < 16 ? "\\x0" : "\\x"), byte, 16);
	}
	return *text ? stpcpy(to, "...") : to;
}

/* A line that finds no room is dropped and counted. */
static void log_request(const char *peer, const char *now, const struct request *r,
			int status, long long length)
{
	static char line[LOG_LINE];
	char *to = put_field(line, peer, 200);

	to = stpcpy(stpcpy(stpcpy(to, " - - ["), now), "] \"");
	/* A head without a target was not a valid request. */
	if (*r->texts[TARGET]) {
		to = stpcpy(stpcpy(to, llhttp_method_name(r->parser.method)), " ");
		to = put_field(to, r->texts[TARGET], 700);
	} else {
		*to++ = '-';
	}
	to = put_number(stpcpy(to, "\" "), (unsigned)status, 10);
	to = put_number(stpcpy(to, " "), (unsigned long long)length, 10);
	*to++ = '\n';
	log_bytes(&requests, line, (size_t)(to - line));
}
