/* SPDX-License-Identifier: MIT */
/*
 * The memory of an idle connection of a server, beside that of a bare process that
 * accepts and holds as many connections.  Clients and server are separate processes.
 * Each connection has already carried one line and its answer.
 *
 * User memory is the growth of the server's VmRSS and VmPTE, which includes the tasks'
 * stacks.  Kernel memory is the growth of Slab in /proc/meminfo.  That figure is for the
 * whole machine: it counts both ends of a connection, and everything else that runs.
 *
 * ARGUMENT: the number of connections.
 */
#include "bench/resident.h"
#include <arpa/inet.h>
#include <coil.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SPARE = 100 };	/* fds for other uses than connections */

static size_t count = 10000;

struct figures {
	double user;
	double kernel;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void tell(int link)
{
	if (write(link, "x", 1) != 1)
		fail("write");
}

static void hear(int link)
{
	char byte;

	if (read(link, &byte, 1) != 1)
		fail("read");
}

/* Returns Slab of /proc/meminfo in bytes. */
static double slab(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[256];
	double kib = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "Slab:", 5))
			kib = strtod(line + 5, NULL);
	}
	if (file)
		fclose(file);
	return kib * 1024;
}

/*
 * Servers.  Each sends its address over the link.  When it receives a byte, it sends how
 * much its memory has grown since then.  It ends when the link is closed.
 */

static void tell_port(int link, int fd)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);

	if (getsockname(fd, (struct sockaddr *)&addr, &len) ||
	    write(link, &addr, sizeof(addr)) != sizeof(addr))
		fail("getsockname");
}

static void tell_growth(int link, double before)
{
	double growth = bench_resident() - before;

	if (write(link, &growth, sizeof(growth)) != sizeof(growth))
		fail("write");
}

static int answer(struct coil_stream *stream, void *arg)
{
	const char *line;
	ssize_t n;

	(void)arg;
	while ((n = coil_stream_read_line(stream, &line)) > 0) {
		n = coil_stream_write(stream, line, (size_t)n);
		if (n < 0)
			break;
	}
	return (int)n;
}

static int app(void *arg)
{
	struct coil_server *server = coil_start_server("127.0.0.1:0", answer, NULL, NULL);
	int link = *(int *)arg;
	double before;
	char byte;

	if (!server)
		return -errno;
	before = bench_resident();
	tell_port(link, coil_server_fd(server, 0));
	if (coil_read(link, &byte, 1) == 1)
		tell_growth(link, before);
	if (coil_read(link, &byte, 1) < 0)
		return -1;
	return coil_server_close(server, 0);
}

static void serve_with_coil(int link)
{
	exit(coil_run(app, &link) < 0);
}

static void serve_bare(int link)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	double before;
	char line[16], byte;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, SOMAXCONN))
		fail("listen");
	before = bench_resident();
	tell_port(link, fd);
	for (size_t i = 0; i < count; i++) {
		int peer = accept(fd, NULL, NULL);
		ssize_t n = peer < 0 ? -1 : read(peer, line, sizeof(line));

		if (n < 0 || write(peer, line, (size_t)n) != n)
			fail("accept");
	}
	hear(link);
	tell_growth(link, before);
	exit(read(link, &byte, 1) != 0);
}

/* Clients connect one after the other, because each waits for its answer. */
static void be_clients(int link, const struct sockaddr_in *addr)
{
	char line[16], byte;

	hear(link);
	for (size_t i = 0; i < count; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (fd < 0 || connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) ||
		    write(fd, "hello\n", 6) != 6 || read(fd, line, sizeof(line)) != 6)
			fail("a client");
	}
	tell(link);
	exit(read(link, &byte, 1) != 0);
}

/* Forks.  Returns the parent's end of the link in the parent, the child's in the child. */
static int start(pid_t *pid)
{
	int link[2];

	fflush(NULL);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link))
		fail("socketpair");
	*pid = fork();
	if (*pid < 0)
		fail("fork");
	close(link[*pid ? 1 : 0]);
	return link[*pid ? 0 : 1];
}

static struct figures measure(void (*serve)(int link))
{
	struct sockaddr_in addr;
	struct figures figures;
	pid_t server, clients;
	int link, other, failed = 0, status;

	link = start(&server);
	if (!server)
		serve(link);
	if (read(link, &addr, sizeof(addr)) != sizeof(addr))
		fail("the server");
	other = start(&clients);
	if (!clients) {
		close(link);
		be_clients(other, &addr);
	}
	figures.kernel = slab();
	tell(other);
	hear(other);
	tell(link);
	if (read(link, &figures.user, sizeof(figures.user)) != sizeof(figures.user))
		fail("the server");
	figures.kernel = (slab() - figures.kernel) / (double)count;
	figures.user /= (double)count;
	close(link);
	failed |= waitpid(server, &status, 0) != server || status;
	close(other);
	failed |= waitpid(clients, &status, 0) != clients || status;
	if (failed)
		exit(1);
	return figures;
}

/* Allows as many fds as the hard limit does. */
static void make_room(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		fail("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		fail("setrlimit");
	if (count + SPARE <= limit.rlim_max)
		return;
	count = limit.rlim_max - SPARE;
	fprintf(stderr, "idle: the limit on fds allows %zu connections only\n", count);
}

int main(int argc, char **argv)
{
	struct figures bare, coil;

	count = (size_t)bench_argument(argc, argv, 1, (long)count);
	if (!count)
		return 1;
	make_room();
	bare = measure(serve_bare);
	coil = measure(serve_with_coil);
	if (bench_lines()) {
		bench_line("idle", "user", coil.user, "bytes");
		bench_line("idle", "kernel", coil.kernel, "bytes");
		bench_line("idle", "kernel-bare", bare.kernel, "bytes");
		return 0;
	}
	printf("%zu idle connections\n", count);
	bench_print("user memory of one", coil.user, "bytes", "one page",
		    (double)sysconf(_SC_PAGESIZE));
	bench_print("kernel memory of both its ends", coil.kernel, "bytes", "accepted, bare",
		    bare.kernel);
	return 0;
}
