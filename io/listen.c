/* SPDX-License-Identifier: MIT */
#include <coil/address.h>
#include "core/task/task.h"
#include "io/address.h"
#include <coil/socket.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int backlog(const struct coil_listen_options *options)
{
	return options->backlog ? options->backlog : SOMAXCONN;
}

static int listen_check_options(const struct coil_listen_options *options)
{
	if (options->backlog < 0 || options->unix_mode & ~(mode_t)07777)
		return -EINVAL;
	if (!coil__reserved_is_zero(options))
		return -EINVAL;
	return 0;
}

/* A TCP socket without a port is not bound: listen(2) would choose a port. */
static bool is_bound(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} addr;
	socklen_t len = sizeof(addr);

	if (getsockname(fd, &addr.any, &len))
		return false;
	switch (addr.any.sa_family) {
	case AF_INET:
		return addr.in.sin_port;
	case AF_INET6:
		return addr.in6.sin6_port;
	default:
		return len > sizeof(sa_family_t);
	}
}

/* Takes over a socket that was inherited, for example from a service manager. */
static int take_over(int fd, const struct coil_listen_options *options)
{
	int type, listens, flags = fcntl(fd, F_GETFL);
	socklen_t len = sizeof(int);

	if (flags < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) ||
	    type != SOCK_STREAM || (!listens && !is_bound(fd)))
		return -EINVAL;
	if (!listens && listen(fd, backlog(options)))
		return -errno;
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC))
		return -errno;
	return fd;
}

static int bind_inet(int fd, const struct addrinfo *ai, bool both,
		     bool reuse_port)
{
	const struct sockaddr_in6 *in6 = (void *)ai->ai_addr;
	int on = 1, only;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    (reuse_port &&
	     setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on))))
		return -errno;
	if (ai->ai_family == AF_INET6) {
		only = !both && !IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
		if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only,
			       sizeof(only)))
			return -errno;
	}
	return bind(fd, ai->ai_addr, ai->ai_addrlen) ? -errno : 0;
}

static int listen_inet(const struct addrinfo *ai, bool both,
		       const struct coil_listen_options *options)
{
	int fd = coil_socket(ai->ai_family, SOCK_STREAM, 0);
	int err;

	if (fd < 0)
		return fd;
	err = bind_inet(fd, ai, both, options->reuse_port);
	if (!err && listen(fd, backlog(options)))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int listen_at(const struct addrinfo *ai, bool both,
		     const struct coil_listen_options *options)
{
	if (ai->ai_family == AF_UNIX)
		return coil__listen_unix((const struct sockaddr_un *)ai->ai_addr, ai->ai_addrlen,
					 backlog(options), options->unix_mode);
	return listen_inet(ai, both, options);
}

/* This host lacks the address or its family; other addresses may do. */
static bool is_elsewhere(int err)
{
	return err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL;
}

/* A resolver may return an address twice. */
static bool is_repeated(const struct addrinfo *list, const struct addrinfo *ai)
{
	for (; list != ai; list = list->ai_next) {
		if (list->ai_addrlen == ai->ai_addrlen &&
		    !memcmp(list->ai_addr, ai->ai_addr, ai->ai_addrlen))
			return true;
	}
	return false;
}

static int listen_each(const struct address *address,
		       const struct coil_listen_options *options, int fds[],
		       int max)
{
	int n = 0, err = -EADDRNOTAVAIL;

	for (const struct addrinfo *ai = address->list; ai && n < max;
	     ai = ai->ai_next) {
		int fd;

		if (is_repeated(address->list, ai))
			continue;
		fd = listen_at(ai, address->both, options);
		if (fd >= 0) {
			fds[n++] = fd;
			/* The same socket accepts IPv4. */
			if (address->both)
				break;
		} else if (!is_elsewhere(fd)) {
			while (n)
				close(fds[--n]);
			return fd;
		} else {
			err = fd;
		}
	}
	return n ? n : err;
}

int coil__listen_all(const char *text,
		     const struct coil_listen_options *options, int fds[],
		     int max)
{
	static const struct coil_listen_options defaults;
	struct address address;
	int err;

	if (!options)
		options = &defaults;
	err = listen_check_options(options);
	if (!err)
		err = coil__address_parse(&address, text, true);
	if (err)
		return err;
	if (address.fd >= 0) {
		fds[0] = take_over(address.fd, options);
		return fds[0] < 0 ? fds[0] : 1;
	}
	err = coil__address_resolve(&address);
	if (!err)
		err = listen_each(&address, options, fds, max);
	coil__address_free(&address);
	return err;
}

int coil_listen(const char *address, const struct coil_listen_options *options)
{
	int fd, n = coil__listen_all(address, options, &fd, 1);

	return n < 0 ? n : fd;
}
