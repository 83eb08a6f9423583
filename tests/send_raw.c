/* SPDX-License-Identifier: MIT */
/*
 * send_raw ADDRESS: sends standard input, byte for byte, and then that there is
 * no more; waits for the other side to close.  Status 0 if it did within five
 * seconds.
 */
#include <coil.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int talk(int fd)
{
	char buf[4096];
	ssize_t n;

	while ((n = coil_read(0, buf, sizeof(buf))) > 0) {
		n = coil_send_all(fd, buf, (size_t)n, 0, NULL);
		if (n < 0)
			break;
	}
	coil_shutdown(fd, SHUT_WR);
	do
		n = coil_recv(fd, buf, sizeof(buf), 0);
	while (n > 0);
	/* The other side does not have to read what it does not want. */
	return n == -ECONNRESET ? 0 : (int)n;
}

static int app(void *arg)
{
	int fd = coil_dial(arg), err = fd;

	if (fd < 0)
		return fd;
	COIL_TIMEOUT(5 * COIL_SECOND)
		err = talk(fd);
	coil_close(fd);
	return err;
}

int main(int argc, char *argv[])
{
	int err = argc == 2 ? coil_run(app, argv[1]) : -EINVAL;

	if (err)
		fprintf(stderr, "send_raw: %s\n", strerror(-err));
	return err != 0;
}
