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
 * Ports and numbers are decimal, and nothing may follow the address.  A call
 * returns an error for any other text:
 *	-EINVAL: it has none of these forms
 *	-ENAMETOOLONG: a name or path is too long
 *	-ENODEV: the interface does not exist
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

/* Zero is the default of each field; reserved must be zero. */
struct coil_listen_options {
	int backlog;		/* connections that may wait; 0: SOMAXCONN */
	bool reuse_port;	/* SO_REUSEPORT: several loops on one TCP port */
	mode_t unix_mode;	/* of the socket file; 0: by the umask */
	uint64_t reserved[4];
};

/*
 * Listens on an address.  options may be NULL.  Parks only for a name or a
 * service, while it is looked up (see coil_dial()).  For all other addresses
 * the call does not park, and works on every thread.
 *
 * TCP sockets have SO_REUSEADDR.  Port 0 chooses a free port.  ":8080" is one
 * socket for both families, or for IPv4 where there is no IPv6; "[::]:8080" is
 * IPv6 only.  A name is bound to the first of its addresses that this host has.
 *
 * "unix:PATH" replaces a stale file: a socket file to which no socket is bound.
 * Any other file stays.  A file "PATH.lock" exists meanwhile.  If several
 * callers, also in several processes, start on one path at the same time, one
 * succeeds.  An existing file "PATH.lock" prevents the replacement only if a
 * flock(2) of it is held, or if it is a folder or a symlink.
 *
 * "fd:3" returns 3, and makes it O_NONBLOCK and O_CLOEXEC.  A socket that is
 * bound and does not listen yet listens from now on.
 *
 * Returns a listening stream socket that is O_NONBLOCK and O_CLOEXEC, an fd
 * that the caller owns.  On an error the fd of "fd:3" is unchanged:
 *	-EADDRINUSE: a socket is bound there, the file at PATH is no socket, or
 *		another caller or a flock(2) holds "PATH.lock"
 *	-EISDIR, -ELOOP: "PATH.lock" is a folder, or a symlink
 *	-EBADF: the fd of "fd:3" is not open
 *	-EINVAL: the fd of "fd:3" is no stream socket that is bound or listens
 *		(a SOCK_SEQPACKET socket is none), or options are invalid
 */
COIL_MUST_CHECK int coil_listen(const char *address,
				const struct coil_listen_options *options);

/*
 * Connects a stream socket to an address.  ":8080" is this host.  The call
 * tries every address of a name, IPv6 and IPv4 in turn.  Each attempt begins
 * when the one before has failed or has taken 250 ms (RFC 8305).  The first
 * socket to connect wins; the others are closed before the call returns.  At
 * most 8 sockets are open at a time: a ninth attempt ends the oldest.
 *
 * Parks.  A cancellation ends it, and every socket is closed.  Returns a
 * connected fd that is O_NONBLOCK, O_CLOEXEC and, for TCP, TCP_NODELAY, and
 * that the caller owns; or an error:
 *	-ECONNREFUSED ...: an error of connect(2), of the last attempt that failed
 *	-ENOENT: the name or service is unknown, or the unix path does not exist
 *	-EAGAIN, -EIO: the resolver could not answer now, or failed
 *	-EINVAL: the address is "fd:3"
 *	-ECANCELED, -ETIMEDOUT: a cancellation ended the call
 *	-EPERM: the caller is not a task
 *	-ENOMEM, -EMFILE
 */
COIL_MUST_CHECK int coil_dial(const char *address);

enum { COIL_ADDRESS_SIZE = 128 };	/* room for every form above */

/*
 * Write the address to which a socket is bound, or that of its peer, in the
 * form that coil_dial() takes.  This gives the port that ":0" became, or the
 * address of a client.  ":8080" is a socket of both families that is bound to
 * every address.  An IPv4 address that is mapped to IPv6 is written as IPv4.
 * These calls do not park, and work on every thread.  Return the length without
 * the final NUL.  On an error text is unchanged:
 *	-ENOSPC: size is too small
 *	-EADDRNOTAVAIL: the socket is not bound, or has no name
 *	-ENOTCONN: there is no peer
 *	-EAFNOSUPPORT: the socket is of another kind
 *	-EINVAL, -ENAMETOOLONG: the name of the Unix socket has no form as text
 */
int coil_local_address(int fd, char *text, size_t size);
int coil_peer_address(int fd, char *text, size_t size);

/*
 * Looks up a name as getaddrinfo(3) does.  Uses a thread of its own, unless
 * node and service are numeric.  The arguments are copied.  The process looks
 * up at most coil_options.lookups names at a time that a server has to answer;
 * further ones wait.  Numbers and names in /etc/hosts do not wait for them.
 *
 * Parks.  A cancellation ends it at once; what the thread finds is freed.
 * Returns 0 and sets *ret, which the caller passes to freeaddrinfo(3).  Returns
 * a negative errno, or a positive n, which gai_strerror(-n) explains.
 */
COIL_MUST_CHECK int coil_getaddrinfo(const char *node, const char *service,
				     const struct addrinfo *hints,
				     struct addrinfo **ret);

#ifdef __cplusplus
}
#endif
#endif
