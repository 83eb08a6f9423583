/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_ADDRESS_H
#define COIL_IO_ADDRESS_H

/*
 * Addresses as text, and what they stand for.  See <coil/address.h> for the
 * forms.
 */

#include <coil/address.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct address {
	/*
	 * Where to bind or to connect to, in the order to try.  Of a name they
	 * are the resolver's and there once it has been asked; else they are
	 * ours.
	 */
	struct addrinfo *list;
	struct addrinfo *found;
	struct addrinfo own[2];
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} where[2];

	int fd;			/* of the form fd:3; else -1 */
	bool both;		/* :8080, one socket for both families */
	char host[254];		/* "" unless it is a name */
	char service[33];	/* the port; "" if it is in where already */
};

/*
 * Takes text apart: 0, -EINVAL, -ENAMETOOLONG or -ENODEV.  here: the empty host
 * means the addresses to listen on; else this host, to connect to.  Never
 * parks.
 */
int coil__address_parse(struct address *address, const char *text, bool here);

/*
 * The way back: the text of addr, as coil_local_address() has it.  both: it is of a
 * socket that serves both families.
 */
int coil__address_write(const struct sockaddr *addr, socklen_t len, bool both,
			char *text, size_t size);

/*
 * Looks up what is a name, for which it parks; then address->list is there.  0,
 * or a negative errno as coil_dial() has it.  coil__address_free() gives it
 * back.
 */
int coil__address_resolve(struct address *address);
void coil__address_free(struct address *address);

/*
 * coil_listen() on every address of a name, at most max: how many of fds were
 * opened, or a negative errno and none is open.
 */
int coil__listen_all(const char *address,
		     const struct coil_listen_options *options, int fds[],
		     int max);

/*
 * A Unix socket that listens at un, whose file has the mode, if that is not 0: an fd
 * or a negative errno.  -EADDRINUSE: another socket has the path, or a file is there
 * that is no socket, or another caller is replacing a stale one at this moment.
 */
int coil__listen_unix(const struct sockaddr_un *un, socklen_t len, int backlog, mode_t mode);

/*
 * Does what getaddrinfo(3) does with numbers, without a call of it: that may wait for a
 * lock that the child of a fork never gets.  -EAGAIN: getaddrinfo(3) has to be called.
 */
int coil__numeric_addresses(const char *node, const char *service,
			    const struct addrinfo *hints, struct addrinfo **ret);

/* An address in any form of inet_aton(3), or an IPv6 address. */
bool coil__is_numeric(const char *node);

/* Whether /etc/hosts has the name.  Reads the file, so it is not for a loop's thread. */
bool coil__hosts_have(const char *name);

#endif
