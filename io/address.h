/* SPDX-License-Identifier: MIT */
#ifndef COIL_IO_ADDRESS_H
#define COIL_IO_ADDRESS_H

/*
 * Addresses as text, and the socket addresses they stand for.  <coil/address.h>
 * has the forms.
 */

#include <coil/address.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct address {
	/*
	 * The addresses to bind or connect to, in the order to try.  For a host
	 * name they are the resolver's (found), and NULL until
	 * coil__address_resolve().  Otherwise they are in own.
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

	int fd;			/* of the form "fd:3"; else -1 */
	bool both;		/* ":8080": one socket for both families */
	char host[254];		/* a host name, or "" */
	char service[33];	/* a port yet to look up; "" if list has it */
};

/*
 * Parses text.  An empty host means all addresses if here (to listen), else
 * this host (to connect).  Never parks.  Returns 0, -EINVAL, -ENAMETOOLONG or,
 * for an unknown interface, -ENODEV.
 */
int coil__address_parse(struct address *address, const char *text, bool here);

/*
 * Writes addr as text, in the form of coil_local_address().  both: its socket
 * serves both families.  Returns the length, or a negative errno.
 */
int coil__address_write(const struct sockaddr *addr, socklen_t len, bool both,
			char *text, size_t size);

/*
 * Looks up the host name and the service, if text had any, and fills in
 * address->list.  May park.  Returns 0 or a negative errno, as coil_dial()
 * does.  The caller frees the list with coil__address_free().
 */
int coil__address_resolve(struct address *address);
void coil__address_free(struct address *address);

/*
 * Listens on at most max addresses of a name, as coil_listen() does.  Skips
 * addresses that this host does not have.  Returns the number of fds.  If
 * another error occurs, or no address is left, returns a negative errno and no
 * fd stays open.
 */
int coil__listen_all(const char *address,
		     const struct coil_listen_options *options, int fds[],
		     int max);

/*
 * Returns a Unix socket that listens at un, or a negative errno.  Its file gets
 * the mode unless that is 0.  -EADDRINUSE: another socket is bound to the path,
 * or its file is no socket, or another process is replacing a stale file at
 * this moment.
 */
int coil__listen_unix(const struct sockaddr_un *un, socklen_t len, int backlog, mode_t mode);

/*
 * Answers as getaddrinfo(3) does for numbers, without calling it:
 * getaddrinfo(3) may wait for a lock that the child of a fork never gets.
 * Returns 0, -ENOMEM, or -EAGAIN if the caller has to call getaddrinfo(3).
 */
int coil__numeric_addresses(const char *node, const char *service,
			    const struct addrinfo *hints, struct addrinfo **ret);

/* Whether node is an address in a form of inet_aton(3), or an IPv6 address. */
bool coil__is_numeric(const char *node);

/*
 * Whether /etc/hosts has the name.  Reads the file, so a loop's thread must not
 * call it.
 */
bool coil__hosts_have(const char *name);

#endif
