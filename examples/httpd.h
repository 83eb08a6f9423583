/* SPDX-License-Identifier: MIT */
#ifndef HTTPD_H
#define HTTPD_H

/* What the files of httpd share; its description is in httpd.c. */

#include <coil.h>
#include <llhttp.h>
#include <sys/stat.h>
#include <time.h>

enum {
	HEAD_MOST = 8192,	/* of a request: its target and headers */
	BODY_MOST = 1 << 20,	/* that is read for nothing, to keep a connection */
	OUT_SIZE = 16384,	/* answers that are sent at once */
	PATH_SIZE = 4096,
};

/* Bytes in the connection's buffer; at is NULL for what did not come. */
struct view {
	const char *at;
	size_t len;
};

enum {
	TARGET, FIELD, VALUE,	/* the header that is being read */
	HOST, RANGE, IF_RANGE, IF_NONE_MATCH, IF_MODIFIED_SINCE, EXPECT,
	REFERER, USER_AGENT, VIEWS
};

struct request {
	llhttp_t parser;
	int (*answer)(struct request *request);
	enum { BETWEEN, HEAD, BODY } phase;
	bool keep;		/* the connection, after the answer */
	bool two_hosts;
	unsigned number;	/* of requests */
	size_t body;
	struct view views[VIEWS];
};

struct connection {
	struct request request;		/* first */
	struct coil_stream *stream;
	struct coil_timeout timeout;
	struct coil_task *task;
	struct connection *next, **link;	/* of all there are */
	bool idle;			/* nothing came of a next request */
	char peer[COIL_ADDRESS_SIZE];
	size_t used;			/* of out */
	char out[OUT_SIZE];
	char in[HEAD_MOST];
};

/*
 * httpd_request.c: from bytes to what they mean.  answer() is called when the
 * headers of a request are complete, and may park; it returns 0, or -1 to stop.
 * request_parse() returns 0, the status to refuse with, or -1 to close.
 */
void request_init(struct request *r, int (*answer)(struct request *r));
int request_parse(struct request *r, const char *bytes, size_t n);
void request_move(struct request *r, ptrdiff_t by);
bool view_is(struct view view, const char *text);

/* 0, and path is below the root, "" being that; or a status.  *query: from its ?. */
int request_path(const struct request *r, char path[PATH_SIZE], struct view *query);

/* 304; 200; 206, and [*first, *last] of the file is meant; 416. */
int request_wants(const struct request *r, const struct stat *file, const char *etag,
		  off_t *first, off_t *last);
void format_date(char text[30], time_t when);

/* httpd_file.c: answers with a file, a list of a folder, or what went wrong. */
int answer_file(struct connection *c, int root);

/* httpd.c: 0 or a negative errno.  The rest of the head is format's. */
int reply_head(struct connection *c, int status, off_t length, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
int reply(struct connection *c, int status, const char *header);
int send_out(struct connection *c);
int send_bytes(struct connection *c, const char *bytes, size_t n);
void allow(struct connection *c, int64_t ns);

#endif
