/* SPDX-License-Identifier: MIT */
/*
 * The load generator connects to an echo or http server, sends requests, verifies the
 * replies and reports their cost.  usage() has the options.  load_work.c documents what
 * is sent and how time is counted.
 *
 * The server's CPU time comes from the clocks of its processes.  These count all threads,
 * in nanoseconds, with the kernel's work for them.  They are read at both ends of the
 * stretch in which replies are counted.
 */
#include "bench/load.h"
#include <arpa/inet.h>
#include <getopt.h>
#include <math.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

static struct options options = {
	.connections = 64, .depth = 1, .threads = 1, .size = 64,
	.seconds = 1, .warmup = 0.25, .path = "/",
};

static const char *const mode_names[] = { "echo", "accept", "http" };

static pthread_barrier_t connected;

/* Taken at the ends of the measured stretch. */
static struct mark { double own, server, at; } begin_mark, end_mark;

static double cpu_of(pid_t pid)
{
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock))
		load_fail("process %d is not there", pid);
	return bench_clock(clock);
}

static struct mark take_mark(void)
{
	struct mark mark = { .own = bench_cpu(), .at = bench_now() };

	for (unsigned i = 0; i < options.pid_count; i++)
		mark.server += cpu_of(options.pids[i]);
	return mark;
}

static void mark_begin(void)
{
	begin_mark = take_mark();
}

static void mark_end(void)
{
	end_mark = take_mark();
}

static void *work(void *arg)
{
	struct worker *w = arg;

	if (options.threads > 1)
		bench_pin_to((int)w->index);
	load_connect(w);
	pthread_barrier_wait(&connected);
	load_run(w);
	return NULL;
}

static void usage(void)
{
	fputs("Usage: load [OPTION]... PORT\n\n"
	      "  -m echo|accept|http   the kind of request (echo)\n"
	      "  -c N    connections (64)          -d N   requests in flight on each (1)\n"
	      "  -t S    measured seconds (1)      -n N   or measured requests\n"
	      "  -w S    warm-up (0.25 s)          -j N   threads (1), each on a core\n"
	      "  -r N    requests a second in all (open loop): latency is counted from\n"
	      "          when each was due.  Without -r (closed loop): from the sending\n"
	      "  -s N    bytes of an echoed message (64)\n"
	      "  -u PATH   path of the http request (/)\n"
	      "  -b FILE   expected body of each reply\n"
	      "  -p PID    a process of the server, to read its CPU time; repeatable\n\n"
	      "With BENCH_LINES set it prints \"load metric value unit\" lines.\n", stderr);
	exit(2);
}

static void read_body(const char *name)
{
	FILE *file = fopen(name, "re");
	long length;

	if (!file || fseek(file, 0, SEEK_END) || (length = ftell(file)) < 0)
		load_fail("%s: %m", name);
	rewind(file);
	options.body_length = (size_t)length;
	options.body = malloc(options.body_length + 1);
	if (!options.body ||
	    fread(options.body, 1, options.body_length, file) != options.body_length)
		load_fail("%s: not read", name);
	fclose(file);
}

static void set_mode(const char *name)
{
	for (int mode = MODE_ECHO; mode <= MODE_HTTP; mode++) {
		if (!strcmp(name, mode_names[mode])) {
			options.mode = (enum mode)mode;
			return;
		}
	}
	usage();
}

static void set_option(int option, const char *value)
{
	double number = strtod(value, NULL);

	switch (option) {
	case 'm': set_mode(value); break;
	case 'c': options.connections = (unsigned)number; break;
	case 'd': options.depth = (unsigned)number; break;
	case 't': options.seconds = number; break;
	case 'n': options.requests = (uint64_t)number; break;
	case 'w': options.warmup = number; break;
	case 'j': options.threads = (unsigned)number; break;
	case 'r': options.rate = number; break;
	case 's': options.size = (size_t)number; break;
	case 'u': options.path = value; break;
	case 'b': read_body(value); break;
	case 'p':
		if (options.pid_count < 64)
			options.pids[options.pid_count++] = (pid_t)number;
		break;
	default: usage();
	}
}

static void parse(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "m:c:d:t:n:w:j:r:s:u:b:p:")) != -1)
		set_option(option, optarg ? optarg : "");
	if (optind + 1 != argc || !options.connections || !options.depth || !options.threads ||
	    options.size < 1 || options.size > 65536 || options.seconds <= 0 ||
	    strlen(options.path) > 512)
		usage();
	if (options.threads > options.connections)
		options.threads = options.connections;
	options.address.sin_family = AF_INET;
	options.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	options.address.sin_port = htons((uint16_t)strtoul(argv[optind], NULL, 10));
	if (options.mode == MODE_ACCEPT)
		options.depth = 1;
	if (options.mode == MODE_ACCEPT && options.rate != 0)
		load_fail("accept is a closed loop");
}

/* "p99 12.3 us" for people, "load p99 12.3 us" for bench/run. */
static void say(const char *metric, double value, const char *unit)
{
	if (bench_lines())
		bench_line("load", metric, value, unit);
	else
		printf("%-12s %12.2f %s\n", metric, value, unit);
}

static void report(const struct histogram *latency)
{
	static const struct { const char *name; double share; } shares[] = {
		{ "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p99.9", 0.999 },
	};
	double elapsed = end_mark.at - begin_mark.at;
	double own = (end_mark.own - begin_mark.own) / elapsed / options.threads;
	double server = (end_mark.server - begin_mark.server) / elapsed;
	double requests = (double)latency->total;
	double server_cores = options.pid_count ? options.pid_count : 1;
	bool bottleneck = own >= 0.9 && options.pid_count && server / server_cores < 0.9;

	if (!latency->total)
		load_fail("no replies");
	if (!bench_lines())
		printf("%s, %u connections, %u in flight, %s\n", mode_names[options.mode],
		       options.connections, options.depth, options.rate != 0 ?
		       "an open loop: latency from when each request was due" :
		       options.mode == MODE_ACCEPT ?
		       "a closed loop: latency from the connecting" :
		       "a closed loop: latency from the sending");
	say("requests", requests, "verified");
	say("rate", requests / elapsed * 1e9, "/s");
	if (options.rate != 0)
		say("asked", options.rate, "/s");
	if (options.pid_count)
		say("server_cpu", (end_mark.server - begin_mark.server) / requests / 1e3, "us");
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
		say(shares[i].name, fmin(histogram_at(latency, shares[i].share),
					 (double)latency->max) / 1e3, "us");
	say("max", (double)latency->max / 1e3, "us");
	say("load_share", own * 100, "%");
	say("server_share", server * 100, "%");
	say("bottleneck", bottleneck, bottleneck ? "the-generator" : "not-the-generator");
}

int main(int argc, char **argv)
{
	static struct worker workers[64];
	struct histogram all = {0};
	pthread_t threads[64];

	parse(argc, argv);
	if (options.threads > 64)
		usage();
	/* The open loop needs exact timers. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	load_marks.begin = mark_begin;
	load_marks.end = mark_end;
	pthread_barrier_init(&connected, NULL, options.threads);
	for (unsigned i = 0, first = 0; i < options.threads; i++) {
		struct worker *w = &workers[i];

		w->options = &options;
		w->index = i;
		w->first = first;
		w->count = (options.connections - first) / (options.threads - i);
		w->wanted = options.requests / options.threads;
		first += w->count;
		if (pthread_create(&threads[i], NULL, work, w))
			load_fail("no thread");
	}
	for (unsigned i = 0; i < options.threads; i++) {
		struct histogram *one = &workers[i].latency;

		pthread_join(threads[i], NULL);
		for (unsigned k = 0; k < BUCKETS; k++)
			all.count[k] += one->count[k];
		all.total += one->total;
		if (one->max > all.max)
			all.max = one->max;
	}
	report(&all);
	return 0;
}
