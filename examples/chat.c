/* SPDX-License-Identifier: MIT */
/*
 * A chat room: every member reads what every other member says, line by line.
 *
 *	$ ./chat 127.0.0.1:7000
 *	$ socat - tcp:127.0.0.1:7000
 *	your name?
 *	ann
 *	* ann is here
 *
 * Each member has two tasks.  One reads, and puts every line into the queues of all
 * members.  The other takes from the member's own queue and writes.  The queues are
 * bounded: a member that is too slow misses lines and later reads how many.  The
 * others never wait for it.
 *
 * asyncio: start_server(), TaskGroup, Queue.put_nowait().
 */
#include "log.h"
#include "options.h"
#include <coil.h>
#include <locale.h>
#include <wchar.h>
#include <wctype.h>

enum { NAME_MAX = 20, LINE_MAX = 512, QUEUE = 100 };

struct member {
	struct member *next;
	char name[NAME_MAX + 1];
	struct coil_stream *stream;
	struct coil_queue queue;
	unsigned long missed;
	struct coil_group group;
};

static struct member *members;
static struct log out;

/* The note about missed lines goes where the lines are missing. */
static void post(struct member *member, const char *line)
{
	char note[LINE_MAX];

	if (member->missed) {
		snprintf(note, sizeof(note), "* you missed %lu lines", member->missed);
		if (!coil_queue_put_nowait(&member->queue, note))
			member->missed = 0;
	}
	if (member->missed || coil_queue_put_nowait(&member->queue, line))
		member->missed++;
}

static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
	char line[LINE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	for (struct member *m = members; m; m = m->next)
		post(m, line);
}

static int write_lines(void *arg)
{
	struct member *self = arg;
	char line[LINE_MAX];
	ssize_t n;

	while (!(n = coil_queue_get(&self->queue, line)) &&
	       (n = coil_stream_printf(self->stream, "%s\n", line)) >= 0)
		;
	return (int)n;
}

/* Returns the length of the UTF-8 character at text; 0 for none or a control character. */
static size_t character(const char *text, size_t len)
{
	wchar_t wide;
	size_t n = mbrtowc(&wide, text, len, &(mbstate_t){0});

	return n > len || iswcntrl((wint_t)wide) ? 0 : n;
}

/* Reads a line without its end.  Drops what could move the cursor of a terminal. */
static ssize_t read_line(struct member *self, char *text, size_t size)
{
	const char *line;
	ssize_t n = coil_stream_read_line(self->stream, &line);
	size_t len = 0, part;

	for (ssize_t i = 0; i < n; i += part ? (ssize_t)part : 1) {
		part = character(line + i, (size_t)(n - i));
		if (len + part >= size)
			break;
		memcpy(text + len, line + i, part);
		len += part;
	}
	text[len] = '\0';
	return n;
}

static int read_lines(void *arg)
{
	struct member *self = arg;
	char text[LINE_MAX - NAME_MAX - 4];
	ssize_t n = 0;

	/* Many lines may arrive at once: the yield lets the writing tasks run before each. */
	while (!coil_yield() && (n = read_line(self, text, sizeof(text))) > 0)
		if (*text)
			say("<%s> %s", self->name, text);
	coil_group_cancel(&self->group);
	return (int)n;
}

static bool is_taken(const char *name)
{
	for (const struct member *m = members; m; m = m->next)
		if (!strcmp(m->name, name))
			return true;
	return false;
}

/* Returns 1 when the member has a name, 0 at the end of the stream, or a negative errno. */
static int ask_name(struct member *self)
{
	const char *question = "your name?\n";
	char name[NAME_MAX + 1];
	ssize_t n;

	for (;;) {
		n = coil_stream_write(self->stream, question, strlen(question));
		n = n < 0 ? n : read_line(self, name, sizeof(name));
		if (n <= 0)
			return (int)n;
		if (*name && !is_taken(name)) {
			memcpy(self->name, name, sizeof(name));
			return 1;
		}
		question = "it is taken; another one?\n";
	}
}

static int serve(struct coil_stream *stream, void *arg)
{
	struct member self = { .stream = stream }, **link = &members;
	int err = coil_queue_init(&self.queue, LINE_MAX, QUEUE);

	if (err)
		return err;
	err = ask_name(&self);
	if (err > 0) {
		self.next = members;
		members = &self;
		say("* %s is here", self.name);
		coil_group_create_task(&self.group, write_lines, &self);
		coil_group_create_task(&self.group, read_lines, &self);
		err = coil_group_wait(&self.group);
		while (*link != &self)
			link = &(*link)->next;
		*link = self.next;
		say("* %s is gone", self.name);
	}
	coil_queue_fini(&self.queue);
	/* A member that leaves in the middle is not an error of the server. */
	return err == -ENOMEM ? err : -ECANCELED;
}

static int run(void *arg)
{
	struct coil_server *server = coil_start_server(arg, serve, NULL, NULL);
	char text[COIL_ADDRESS_SIZE];
	int err = -errno;

	if (!server)
		return err;
	log_open(&out, STDOUT_FILENO);
	if (coil_local_address(coil_server_fd(server, 0), text, sizeof(text)) >= 0)
		log_line(&out, "listening on %s", text);
	err = coil_serve_forever(server);
	coil_server_close(server, 0);
	log_close(&out);
	return err;
}

int main(int argc, char *argv[])
{
	int err, first = options_words(argc, argv, 1, 1, "usage: chat ADDRESS\n");
	sigset_t signals;

	setlocale(LC_CTYPE, "C.UTF-8");
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	err = coil_run_with(&(struct coil_options){ .stop_signals = &signals }, run, argv[first]);
	if (err && err != -EINTR)
		fprintf(stderr, "chat: cannot listen on %s: %s\n", argv[first], strerror(-err));
	return err && err != -EINTR;
}
