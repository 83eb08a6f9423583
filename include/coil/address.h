/* SPDX-License-Identifier: MIT */
#ifndef COIL_ADDRESS_H
#define COIL_ADDRESS_H

/*
 * Addresses as text:
 *
 *	127.0.0.1:8080		[::1]:8080		[fe80::1%eth0]:8080
 *	localhost:8080		localhost:http		a name, to be looked up
 *	:8080			every address of this host, IPv6 and IPv4
 *	unix:/run/x.sock	unix:@abstract		at most 107 bytes
 *	fd:3			an inherited socket that listens or is bound
 *
 * Port and numbers are decimal and nothing may follow; what is not of one of
 * these forms is -EINVAL, a name or path that is too long -ENAMETOOLONG, an
 * interface that is not there -ENODEV.
 */

#include <coil/cdefs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct addrinfo;

/* Zero is the default of each; reserved must be zero. */
struct coil_listen_options {
	int backlog;		/* connections that may wait; 0: SOMAXCONN */
	bool reuse_port;	/* SO_REUSEPORT: several loops on one TCP port */
	mode_t unix_mode;	/* of the socket file; 0: as the umask has it */
	uint64_t reserved[4];
};

/*
 * Returns a listening stream socket, O_NONBLOCK and O_CLOEXEC: an fd of the
 * caller's, or a negative errno.  options may be NULL.  TCP sockets have
 * SO_REUSEADDR; port 0 is one that is free; ":8080" is one socket for both
 * families, or of IPv4 where there is no IPv6; "[::]:8080" is IPv6 alone.
 *
 * For "unix:PATH" a stale file, a socket file to which no socket is bound, is
 * replaced; "PATH.lock" exists meanwhile.  A file of another kind, or one to which a
 * socket is bound, is left alone: -EADDRINUSE.  If several callers, also of several
 * processes, start on one path at the same time, one succeeds.  A file "PATH.lock" of
 * the program's own hinders the replacement only if a flock(2) of it is held
 * (-EADDRINUSE), or if it is a folder (-EISDIR) or a symlink (-ELOOP).
 *
 * "fd:3" returns 3, made O_NONBLOCK and O_CLOEXEC.  A socket that is bound and does
 * not listen yet listens from now on.  -EINVAL if fd 3 is no stream socket that is
 * bound or listens (a SOCK_SEQPACKET socket is none), -EBADF if it is not open; then
 * the fd stays as it was.
 *
 * Never parks and works on every thread, but for a name, which parks while it
 * is looked up (see coil_dial()) and is bound to the first of its addresses
 * that this host has.
 */
COIL_MUST_CHECK int coil_listen(const char *address,
				const struct coil_listen_options *options);

/*
 * Connects a stream socket, O_NONBLOCK, O_CLOEXEC and for TCP with TCP_NODELAY:
 * an fd of the caller's.  Every address of a name is tried, IPv6 and IPv4 in
 * turn, each when the one before failed or has taken 250 ms (RFC 8305); the
 * first to connect wins, the others are closed before the call returns.  At most
 * 8 sockets are open at a time: for a ninth attempt the oldest is given up.
 * ":8080" is this host; "fd:3" is -EINVAL.
 *
 * Parks.  -ECONNREFUSED and the other errors of connect(2), the last of them if
 * there were several; -ENOENT for a name or service that nobody knows (or a
 * unix path that is not there), -EAGAIN when the resolver could not answer now,
 * -EIO when it failed; -ECANCELED or -ETIMEDOUT, and then every socket is
 * closed; -EPERM outside a task, -ENOMEM, -EMFILE.
 */
COIL_MUST_CHECK int coil_dial(const char *address);

enum { COIL_ADDRESS_SIZE = 128 };	/* room for any of the forms above */

/*
 * Where a socket is bound, and where its peer is, in the form that coil_dial()
 * takes: the port that ":0" became, the address of a client.  Their length
 * without the 0 at the end, or a negative errno and text is as it was: -ENOSPC
 * when size is too small, -EADDRNOTAVAIL for a socket that is not bound or has
 * no name, -ENOTCONN without a peer, -EAFNOSUPPORT for other kinds of socket,
 * -EINVAL and -ENAMETOOLONG for a name of AF_UNIX that no text stands for.
 *
 * ":8080" is a socket of both families that is bound to every address; an IPv4
 * address that came as IPv6 is written as the former.  Never parks; works on
 * every thread.
 */
int coil_local_address(int fd, char *text, size_t size);
int coil_peer_address(int fd, char *text, size_t size);

/*
 * Looks up a name as getaddrinfo(3) does, in a thread of its own unless node and
 * service are numeric.  The arguments are copied.  Returns 0, and *ret is the caller's
 * for freeaddrinfo(3); a negative errno; or a positive n, which gai_strerror(-n)
 * explains.  Parks; a cancel ends it at once, and what the thread finds later is freed.
 * The process looks up coil_options.lookups names at a time that a server has to answer;
 * more wait.  Numbers and names in /etc/hosts do not wait for them.
 */
COIL_MUST_CHECK int coil_getaddrinfo(const char *node, const char *service,
				     const struct addrinfo *hints,
				     struct addrinfo **ret);

#ifdef __cplusplus
}
#endif
#endif
