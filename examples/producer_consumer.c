/* SPDX-License-Identifier: MIT */
/*
 * Producers push items over a socket into a bounded queue, and consumers take them
 * from it: in one process, or each side in its own.
 *
 *	$ ./producer_consumer
 *	$ ./producer_consumer --items 1000000
 *	$ ./producer_consumer --producers 3 --consumers 2 --work 250ms
 *
 *	$ ./producer_consumer --role consumer --address unix:@demo &
 *	$ ./producer_consumer --role producer --address unix:@demo --items 100
 *
 * producer.c and consumer.c are the two sides.  This file has options, bar and summary.
 */
#include "producer_consumer.h"
#include "log.h"
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char help[] =
"usage: producer_consumer [OPTION ...]\n"
"\n"
"Producers push numbered items over a socket into a bounded queue; consumers\n"
"take them from there and acknowledge each item.\n"
"\n"
"  --role ROLE      both, in one process (the default), producer or consumer\n"
"  --address ADDR   where the consumer listens: 127.0.0.1:8080, :8080,\n"
"                   [::1]:8080, localhost:8080, unix:/path, unix:@name, fd:3;\n"
"                   by default a free port of 127.0.0.1, which it prints\n"
"  --producers N    number of connections (default 1); producer p sends the\n"
"                   items p, p + N, p + 2N ...\n"
"  --consumers N    number of tasks that take from the queue (default 1)\n"
"  --items N        number of items in all, counted from 0 (default 10).  A\n"
"                   consumer ends when they have come; its default is the\n"
"                   number that the first producer announces\n"
"  --from N         skip the items below N\n"
"  --size BYTES     size of an item, 8 to 65536 (default 64)\n"
"  --queue N        number of items that the queue holds (default 1024)\n"
"  --interval TIME  from one item of a producer to its next (default 0s)\n"
"  --work TIME      time that a consumer spends on an item (default 0s)\n"
"  --quiet          print only the summary\n"
"  --help           print this text\n"
"\n"
"TIME is a number and ns, us, ms, s or m, for example 10ms or 1.5s.  Times\n"
"below a millisecond are added up until a sleep is worthwhile.  For more than\n"
"10000 items, a progress bar replaces the lines if stderr is a terminal.\n"
"\n"
"A producer whose consumer disappears prints the first item that was not\n"
"acknowledged.  Start it again with --from to resume there.  A consumer\n"
"recognises a producer that comes back, and drops the items that it already\n"
"has, unless 100 other producers have left since.  A new consumer counts from\n"
"that item on.  SIGINT and SIGTERM stop either side, which then reports how\n"
"far it got.\n"
"\n"
"Exit status: 0 if each item was consumed once and in its producer's order, or\n"
"if a signal came first and this is true of the items so far; 1 if not, or if\n"
"the other side disappeared; 2 for wrong options.\n";

struct options options = {
	.role = "both",
	.producers = 1,
	.consumers = 1,
	.queue = 1024,
	.size = 64,
};

/*
 * Options.
 */

enum kind { TEXT, NUMBER, TIME, FLAG };

static const struct setting {
	const char *name;
	enum kind kind;
	void *value;
	unsigned long long least, most;
} settings[] = {
	{ "role", TEXT, &options.role, 0, 0 },
	{ "address", TEXT, &options.address, 0, 0 },
	{ "producers", NUMBER, &options.producers, 1, 100000 },
	{ "consumers", NUMBER, &options.consumers, 1, 100000 },
	{ "items", NUMBER, &options.items, 1, INT64_MAX },
	{ "from", NUMBER, &options.from, 0, INT64_MAX },
	{ "size", NUMBER, &options.size, ITEM_MIN, ITEM_MAX },
	{ "queue", NUMBER, &options.queue, 1, 100000000 },
	{ "interval", TIME, &options.interval, 0, 86400 * COIL_SECOND },
	{ "work", TIME, &options.work, 0, 86400 * COIL_SECOND },
	{ "quiet", FLAG, &options.quiet, 0, 0 },
};

enum { SETTINGS = sizeof(settings) / sizeof(*settings) };

static void point_to_help(void) __attribute__((noreturn));

static void point_to_help(void)
{
	fprintf(stderr, "Try '%s --help'.\n", program_invocation_short_name);
	exit(2);
}

static void refuse(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

static void refuse(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	point_to_help();
}

static bool read_number(const char *text, unsigned long long *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	return isdigit((unsigned char)*text) && !*end && !errno;
}

static bool read_time(const char *text, unsigned long long *ns)
{
	static const struct { const char *name; double ns; } units[] = {
		{ "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 },
		{ "m", 60e9 },
	};
	char *end;
	double number = strtod(text, &end);

	if (!isdigit((unsigned char)*text) || number > 1e15)
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (!strcmp(end, units[i].name)) {
			*ns = (unsigned long long)(number * units[i].ns + 0.5);
			return true;
		}
	}
	*ns = 0;
	return number == 0 && !*end;
}

static void set(const struct setting *setting, const char *text)
{
	unsigned long long number = 0;

	switch (setting->kind) {
	case TEXT:
		*(const char **)setting->value = text;
		return;
	case FLAG:
		*(bool *)setting->value = true;
		return;
	case NUMBER:
		if (!read_number(text, &number) || number < setting->least ||
		    number > setting->most)
			refuse("--%s is a number from %llu to %llu, not '%s'",
			       setting->name, setting->least, setting->most,
			       text);
		break;
	case TIME:
		if (!read_time(text, &number) || number > setting->most)
			refuse("--%s is a time of at most a day, for example 10ms "
			       "or 1s, not '%s'", setting->name, text);
		break;
	}
	*(unsigned long long *)setting->value = number;
}

static void check_options(void)
{
	options.produces = strcmp(options.role, "consumer") != 0;
	options.consumes = strcmp(options.role, "producer") != 0;
	if (options.produces && options.consumes &&
	    strcmp(options.role, "both") != 0)
		refuse("--role is both, producer or consumer, not '%s'",
		       options.role);
	if (!options.address && !options.consumes)
		refuse("--role producer needs the consumer's --address");
	if (!options.address)
		options.address = "127.0.0.1:0";
	consumed.goal = options.items;
	if (!options.items && options.produces)
		consumed.goal = options.items = 10;
	if (options.produces && options.from >= options.items)
		refuse("--from %llu leaves none of the %llu items",
		       options.from, options.items);
}

static void read_options(int argc, char *argv[])
{
	struct option names[SETTINGS + 2] = {{0}};
	int i;

	for (i = 0; i < SETTINGS; i++) {
		names[i].name = settings[i].name;
		names[i].has_arg = settings[i].kind != FLAG;
		names[i].val = i;
	}
	names[i].name = "help";
	names[i].val = 'h';
	/* getopt_long() begins its messages with argv[0]. */
	argv[0] = program_invocation_short_name;
	while ((i = getopt_long(argc, argv, "h", names, NULL)) != -1) {
		if (i == 'h') {
			fputs(help, stdout);
			exit(0);
		}
		if (i == '?')
			point_to_help();
		set(&settings[i], optarg);
	}
	if (optind < argc)
		refuse("'%s' is not an option", argv[optind]);
	check_options();
}

/*
 * The bar, and messages on stderr.
 */

static struct log out, errors;
static bool bar_shown;

void say(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (!out.writer)
		puts(line);
	/* A cancellation that ends this wait is also returned by the next call. */
	else if (!log_wait(&out, sizeof(line), COIL_SECOND))
		log_line(&out, "%s", line);
}

static void __attribute__((format(printf, 1, 2))) put_bar(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_bytes(&errors, text, strlen(text));
}

void complain(const char *format, ...)
{
	char line[512];
	va_list args;

	if (bar_shown)
		put_bar("\r\033[K");
	bar_shown = false;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (errors.writer)
		log_line(&errors, "%s: %s", program_invocation_short_name, line);
	else
		fprintf(stderr, "%s: %s\n", program_invocation_short_name, line);
}

static unsigned long long count(void)
{
	return options.consumes ? consumed.items : produced.acknowledged;
}

/* The final value of count().  Returns 0 until the first producer has announced it. */
static unsigned long long wanted(void)
{
	unsigned long long left_out = options.from;

	if (options.consumes)
		left_out = consumed.skipped;
	return consumed.goal > left_out ? consumed.goal - left_out : 0;
}

static double rate(unsigned long long items, int64_t ns)
{
	return ns > 0 ? (double)items * COIL_SECOND / (double)ns : 0;
}

static double average(void)
{
	if (options.consumes)
		return rate(consumed.items, consumed.ended - consumed.started);
	return rate(produced.acknowledged, produced.ended - produced.started);
}

/* Returns the width of the terminal.  draw() uses one less, or the line would wrap. */
static int columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return 80;
	return size.ws_col;
}

static void draw(double items_per_second)
{
	static const char blocks[] = "########################################";
	int width = (int)sizeof(blocks) - 1, room = columns() - 1;
	char words[64];
	double part;

	if (wanted() <= LINES_MAX)
		return;
	part = (double)count() / (double)wanted();
	if (part > 1)
		part = 1;
	snprintf(words, sizeof(words), "%3d%%  %.0f items/s", (int)(part * 100),
		 items_per_second);
	room -= (int)strlen(words);
	if (width > room - 3)
		width = room - 3;
	/* On a terminal too narrow for a bar, print only the words that fit. */
	if (width > 0)
		put_bar("\r[%.*s%*s] %s\033[K", (int)(part * width),
			blocks, width - (int)(part * width), "", words);
	else
		put_bar("\r%.*s\033[K", columns() - 1, words);
	bar_shown = true;
}

static int show_progress(void *arg)
{
	int64_t then = coil_now(), now;
	unsigned long long before = 0;
	int err;

	while (!(err = coil_sleep(COIL_SECOND / 5))) {
		now = coil_now();
		draw(rate(count() - before, now - then));
		before = count();
		then = now;
	}
	draw(average());
	if (bar_shown)
		put_bar("\n");
	bar_shown = false;
	return err;
}

/*
 * The summary.
 */

static void say_rate(unsigned long long items, unsigned long long bytes,
		     int64_t ns)
{
	printf("%llu bytes in %.3f s, %.0f items/s\n", bytes,
	       (double)ns / COIL_SECOND, rate(items, ns));
}

static bool sum_up_produced(bool stopped)
{
	printf("produced %llu items, %llu acknowledged, ", produced.items,
	       produced.acknowledged);
	printf("at most %llu on the way; ", produced.most);
	say_rate(produced.acknowledged, produced.acknowledged * options.size,
		 produced.ended - produced.started);
	if (produced.unacknowledged >= options.items)
		return true;
	printf("first unacknowledged item: %llu, go on with --from %llu\n",
	       produced.unacknowledged, produced.unacknowledged);
	return stopped;
}

/* After a stop, an item that was not consumed was not acknowledged, so it is not lost. */
static bool sum_up_consumed(bool stopped)
{
	unsigned long long lost = 0;

	if (!stopped && consumed.items < wanted())
		lost = wanted() - consumed.items;
	printf("consumed %llu of %llu items; ", consumed.items, wanted());
	say_rate(consumed.items, consumed.bytes,
		 consumed.ended - consumed.started);
	printf("lost %llu, duplicated %llu, reordered %llu", lost,
	       consumed.duplicated, consumed.reordered);
	if (consumed.repeated)
		printf("; %llu that came again were dropped",
		       consumed.repeated);
	putchar('\n');
	return !lost && !consumed.duplicated && !consumed.reordered;
}

static int sum_up(bool stopped)
{
	bool good = true;

	if (stopped)
		printf("stopped by a signal\n");
	if (options.produces)
		good = sum_up_produced(stopped);
	if (options.consumes)
		good = sum_up_consumed(stopped) && good;
	return good ? 0 : 1;
}

/*
 * The program.
 */

/* Adds ns to *until and sleeps until then, but only once a millisecond has added up. */
int spend(int64_t *until, unsigned long long ns)
{
	int64_t now = coil_now();

	if (*until < now)
		*until = now;
	*until += (int64_t)ns;
	return *until - now < COIL_MILLISECOND ? 0 : coil_sleep_until(*until);
}

/* The path of a socket file that this program made, not of one inherited by fd:3. */
static const char *own_path;

static int listen_at(void)
{
	static char name[COIL_ADDRESS_SIZE];
	const char *path = options.address + strlen("unix:");
	int fd = coil_listen(options.address, NULL);

	if (fd < 0) {
		complain("cannot listen at %s: %s", options.address,
			 strerror(-fd));
		return fd;
	}
	if (!strncmp(options.address, "unix:", strlen("unix:")) && *path != '@')
		own_path = path;
	/* The producers of this process dial this name, in which a port 0 is a real one. */
	if (coil_local_address(fd, name, sizeof(name)) < 0)
		snprintf(name, sizeof(name), "%s", options.address);
	options.address = name;
	if (!options.produces) {
		say("listening on %s", name);
		say("waiting for a producer");
	}
	return fd;
}

static void close_door(int fd)
{
	coil_close(fd);
	if (own_path)
		unlink(own_path);
}

/* In one process, the consumer is cancelled if the producers ended before their goal. */
static int run_both(int listener)
{
	struct coil_task *consumer = coil_create_task(consume_all, &listener);
	int err, left;

	if (!consumer)
		return -ENOMEM;
	err = produce_all();
	if (produced.unacknowledged < options.items)
		coil_cancel(consumer);
	left = coil_await(consumer);
	return err || left == -ECANCELED ? err : left;
}

static int run_sides(void)
{
	int fd, err;

	if (!options.consumes) {
		err = produce_all();
		return err == -EINVAL ? 2 : err;
	}
	fd = listen_at();
	if (fd < 0)
		return fd == -EINVAL ? 2 : 1;
	err = options.produces ? run_both(fd) : consume_all(&fd);
	close_door(fd);
	return err;
}

static int app(void *arg)
{
	struct coil_task *bar;
	int err;

	log_open(&out, STDOUT_FILENO);
	log_open(&errors, STDERR_FILENO);
	if (options.quiet || !isatty(STDERR_FILENO)) {
		err = run_sides();
	} else {
		bar = coil_create_task(show_progress, NULL);
		err = run_sides();
		if (bar)
			coil_cancel(bar);
		coil_await(bar);
	}
	log_close(&out);
	log_close(&errors);
	return coil_cancel_requested() ? -ECANCELED : err;
}

int main(int argc, char *argv[])
{
	sigset_t signals;
	int err;

	read_options(argc, argv);
	setlinebuf(stdout);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	err = coil_run_with(&(struct coil_options){ .stop_signals = &signals },
			    app, NULL);
	if (err < 0 && err != -EINTR)
		complain("%s", strerror(-err));
	if (err && err != -EINTR)
		return err == 2 ? 2 : 1;
	return sum_up(err == -EINTR);
}
