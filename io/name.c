/* SPDX-License-Identifier: MIT */
/* Writes a socket address as text: the reverse of io/address.c. */
#include "io/address.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

union name {
	struct sockaddr any;
	struct sockaddr_storage storage;
};

struct text {
	char bytes[COIL_ADDRESS_SIZE];
	int len;
};

/* An IP socket that is not bound has port 0. */
static int write_ipv4(struct text *text, const void *addr, in_port_t port)
{
	char host[INET_ADDRSTRLEN];

	if (!port)
		return -EADDRNOTAVAIL;
	inet_ntop(AF_INET, addr, host, sizeof(host));
	text->len = snprintf(text->bytes, sizeof(text->bytes), "%s:%u", host,
			     ntohs(port));
	return 0;
}

/* An interface that is gone has no name, so its number is written. */
static void write_scope(char *scope, size_t size, uint32_t id)
{
	char name[IF_NAMESIZE];

	if (!id)
		*scope = '\0';
	else if (if_indextoname(id, name))
		snprintf(scope, size, "%%%s", name);
	else
		snprintf(scope, size, "%%%u", id);
}

static int write_ipv6(struct text *text, const struct sockaddr_in6 *in6,
		      bool both)
{
	char host[INET6_ADDRSTRLEN], scope[IF_NAMESIZE + 1];
	unsigned port = ntohs(in6->sin6_port);

	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		return write_ipv4(text, in6->sin6_addr.s6_addr + 12,
				  in6->sin6_port);
	if (!port)
		return -EADDRNOTAVAIL;
	if (both && IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr)) {
		text->len = snprintf(text->bytes, sizeof(text->bytes), ":%u",
				     port);
		return 0;
	}
	inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
	write_scope(scope, sizeof(scope), in6->sin6_scope_id);
	text->len = snprintf(text->bytes, sizeof(text->bytes), "[%s%s]:%u",
			     host, scope, port);
	return 0;
}

/* Its length ends an abstract name; a NUL ends a path. */
static int write_unix(struct text *text, const struct sockaddr_un *un,
		      socklen_t namelen)
{
	size_t len = namelen - offsetof(struct sockaddr_un, sun_path);
	const char *path = un->sun_path, *prefix = "";

	if (namelen <= offsetof(struct sockaddr_un, sun_path))
		return -EADDRNOTAVAIL;
	if (!*path) {
		prefix = "@";
		path++;
		len--;
		if (!len || memchr(path, '\0', len))
			return -EINVAL;
	} else {
		len = strnlen(path, len);
		/* Without "./" the path "@x" would read as an abstract name. */
		prefix = *path == '@' ? "./" : "";
	}
	if (strlen(prefix) + len >= sizeof(un->sun_path))
		return -ENAMETOOLONG;
	text->len = snprintf(text->bytes, sizeof(text->bytes), "unix:%s%.*s",
			     prefix, (int)len, path);
	return 0;
}

static bool serves_both(int fd)
{
	int only;
	socklen_t len = sizeof(only);

	return !getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len) && !only;
}

int coil__address_write(const struct sockaddr *addr, socklen_t len, bool both,
			char *to, size_t size)
{
	const struct sockaddr_in *in = (const void *)addr;
	struct text text;
	int err = -EAFNOSUPPORT;

	if (addr->sa_family == AF_INET)
		err = write_ipv4(&text, &in->sin_addr, in->sin_port);
	else if (addr->sa_family == AF_INET6)
		err = write_ipv6(&text, (const void *)addr, both);
	else if (addr->sa_family == AF_UNIX)
		err = write_unix(&text, (const void *)addr, len);
	if (err)
		return err;
	if (size <= (size_t)text.len)
		return -ENOSPC;
	memcpy(to, text.bytes, (size_t)text.len + 1);
	return text.len;
}

static int write_name(int fd, const union name *name, socklen_t len, char *to,
		      size_t size)
{
	bool both = name->any.sa_family == AF_INET6 && serves_both(fd);

	return coil__address_write(&name->any, len, both, to, size);
}

int coil_local_address(int fd, char *text, size_t size)
{
	union name name;
	socklen_t len = sizeof(name);

	if (!text)
		return -EFAULT;
	if (getsockname(fd, &name.any, &len))
		return -errno;
	return write_name(fd, &name, len, text, size);
}

int coil_peer_address(int fd, char *text, size_t size)
{
	union name name;
	socklen_t len = sizeof(name);

	if (!text)
		return -EFAULT;
	if (getpeername(fd, &name.any, &len))
		return -errno;
	return write_name(fd, &name, len, text, size);
}
