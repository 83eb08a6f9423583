/* SPDX-License-Identifier: MIT */
#include "io/address.h"
#include "core/task/loop.h"
#include "core/backend/pool.h"
#include "core/task/task.h"
#include "io/wait.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Returns the number that text is, or -EINVAL if it is none or exceeds most. */
static int64_t number(const char *text, int64_t most)
{
	int64_t n = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (!is_digit(*text))
			return -EINVAL;
		n = n * 10 + (*text - '0');
		if (n > most)
			return -EINVAL;
	}
	return n;
}

static bool only(const char *text, const char *others)
{
	for (; *text; text++) {
		if (!is_digit(*text) && !is_letter(*text) &&
		    !strchr(others, *text))
			return false;
	}
	return true;
}

/* Adds one of address->own to the list. */
static void address_add(struct address *address, sa_family_t family, socklen_t len)
{
	int i = address->list ? 1 : 0;
	struct addrinfo *own = &address->own[i];

	address->where[i].any.sa_family = family;
	own->ai_family = family;
	own->ai_socktype = SOCK_STREAM;
	own->ai_addr = &address->where[i].any;
	own->ai_addrlen = len;
	if (i)
		address->list->ai_next = own;
	else
		address->list = own;
}

/* "@name" is an abstract name; a NUL replaces the "@". */
static int parse_unix(struct address *address, const char *path)
{
	struct sockaddr_un *un = &address->where[0].un;
	size_t len = strlen(path);
	size_t used = offsetof(struct sockaddr_un, sun_path) + len;

	if (!len || !strcmp(path, "@"))
		return -EINVAL;
	if (len >= sizeof(un->sun_path))
		return -ENAMETOOLONG;
	memcpy(un->sun_path, path, len + 1);
	if (*path == '@')
		un->sun_path[0] = '\0';
	else
		used++;
	address_add(address, AF_UNIX, (socklen_t)used);
	return 0;
}

static int parse_fd(struct address *address, const char *text)
{
	int64_t fd = number(text, INT32_MAX);

	if (fd < 0)
		return -EINVAL;
	address->fd = (int)fd;
	return 0;
}

/* The port is a number, or the name of a service, which is looked up later. */
static int parse_service(struct address *address, const char *text)
{
	if (number(text, UINT16_MAX) < 0 && !is_letter(*text))
		return -EINVAL;
	if (!only(text, "-_+."))
		return -EINVAL;
	if (strlen(text) >= sizeof(address->service))
		return -ENAMETOOLONG;
	memcpy(address->service, text, strlen(text) + 1);
	return 0;
}

static int parse_scope(struct sockaddr_in6 *in6, const char *text)
{
	int64_t scope = number(text, UINT32_MAX);

	if (scope < 0)
		scope = if_nametoindex(text);
	if (!*text)
		return -EINVAL;
	if (!scope)
		return -ENODEV;
	in6->sin6_scope_id = (uint32_t)scope;
	return 0;
}

/* Parses the text between [ and ]. */
static int parse_ipv6(struct address *address, char *text)
{
	struct sockaddr_in6 *in6 = &address->where[0].in6;
	char *scope = strchr(text, '%');

	if (scope)
		*scope++ = '\0';
	if (inet_pton(AF_INET6, text, &in6->sin6_addr) != 1)
		return -EINVAL;
	address_add(address, AF_INET6, sizeof(*in6));
	return scope ? parse_scope(in6, scope) : 0;
}

/* To the resolver "10.1" and "0x7f.1" are addresses; here they are errors. */
static bool looks_numeric(const char *host)
{
	const char *last = strrchr(host, '.');
	const char *digits = "0123456789";

	last = last ? last + 1 : host;
	if (*last == '0' && (last[1] == 'x' || last[1] == 'X')) {
		last += 2;
		digits = "0123456789abcdefABCDEF";
	}
	return *last && strspn(last, digits) == strlen(last);
}

static void parse_empty(struct address *address, bool here)
{
	address->where[0].in6.sin6_addr = here ? in6addr_any : in6addr_loopback;
	address_add(address, AF_INET6, sizeof(struct sockaddr_in6));
	address->where[1].in.sin_addr.s_addr =
		htonl(here ? INADDR_ANY : INADDR_LOOPBACK);
	address_add(address, AF_INET, sizeof(struct sockaddr_in));
	address->both = here;
}

static int parse_host(struct address *address, bool here)
{
	char *host = address->host;
	size_t len = strlen(host);
	int err = 0;

	if (!len)
		parse_empty(address, here);
	else if (inet_pton(AF_INET, host, &address->where[0].in.sin_addr) == 1)
		address_add(address, AF_INET, sizeof(struct sockaddr_in));
	else if (*host != '[')
		return looks_numeric(host) || !only(host, "-_.") ? -EINVAL : 0;
	else if (host[len - 1] != ']')
		return -EINVAL;
	else {
		host[len - 1] = '\0';
		err = parse_ipv6(address, host + 1);
	}
	*host = '\0';
	return err;
}

/* The port is at the same place in both families. */
static in_port_t *port_of(const struct addrinfo *ai)
{
	return &((struct sockaddr_in *)(void *)ai->ai_addr)->sin_port;
}

static void set_port(struct address *address, in_port_t port)
{
	for (struct addrinfo *ai = address->list; ai; ai = ai->ai_next)
		*port_of(ai) = port;
	address->service[0] = '\0';
}

static int parse_inet(struct address *address, const char *text, bool here)
{
	const char *end = *text == '[' ? strchr(text, ']') : text;
	const char *colon = end ? strchr(end, ':') : NULL;
	int64_t port;
	int err;

	if (!colon || strchr(colon + 1, ':'))
		return -EINVAL;
	if ((size_t)(colon - text) >= sizeof(address->host))
		return -ENAMETOOLONG;
	memcpy(address->host, text, (size_t)(colon - text));
	err = parse_service(address, colon + 1);
	if (!err)
		err = parse_host(address, here);
	if (err || *address->host)
		return err;
	port = number(address->service, UINT16_MAX);
	if (port >= 0)
		set_port(address, htons((in_port_t)port));
	return 0;
}

int coil__address_parse(struct address *address, const char *text, bool here)
{
	*address = (struct address){ .fd = -1 };
	if (!text)
		return -EINVAL;
	if (!strncmp(text, "unix:", 5))
		return parse_unix(address, text + 5);
	if (!strncmp(text, "fd:", 3))
		return parse_fd(address, text + 3);
	return parse_inet(address, text, here);
}

/*
 * The lookup belongs to its thread, because a lookup cannot be stopped.  The
 * task takes the result out of it.  A cancelled task abandons it.
 */
struct lookup {
	struct abandonable_job job;
	struct answer *answer;
	struct addrinfo hints;
	struct addrinfo *found;
	bool local;		/* asks no name server */
	int result;
	int error;		/* errno, if result is EAI_SYSTEM */
	const char *node;
	const char *service;
	char text[];
};

/* Lies on the stack of the task. */
struct answer {
	struct coil_task *task;
	struct lookup *lookup;
	struct addrinfo *found;
	int result;
};

/*
 * Returns a negative errno.  For the other errors of getaddrinfo(3) returns a
 * positive number; gai_strerror(3) takes its negative.
 */
static int said(int result, int error)
{
	if (result == EAI_SYSTEM)
		return error > 0 ? -error : -EIO;
	return result == EAI_MEMORY ? -ENOMEM : -result;
}

/*
 * A name in /etc/hosts must not wait behind names that a server has to answer.
 * So a lookup that needs a server moves on to ABANDONABLE_NAMES, which has threads
 * of its own.
 */
static void look_up(struct abandonable_job *job)
{
	struct lookup *lookup = container_of(job, struct lookup, job);

	if (job->kind == ABANDONABLE_HOSTS && !lookup->local &&
	    !coil__hosts_have(lookup->node)) {
		job->then = ABANDONABLE_NAMES;
		return;
	}
	lookup->result = getaddrinfo(lookup->node, lookup->service,
				     &lookup->hints, &lookup->found);
	lookup->error = errno;
	if (lookup->result)
		lookup->found = NULL;
}

static void address_release(struct abandonable_job *job)
{
	struct lookup *lookup = container_of(job, struct lookup, job);

	if (lookup->found)
		freeaddrinfo(lookup->found);
	free(lookup);
}

static void answer(struct coil_loop *loop, struct abandonable_job *job)
{
	struct lookup *lookup = container_of(job, struct lookup, job);
	struct answer *answer = lookup->answer;

	(void)loop;
	answer->found = lookup->found;
	answer->result = said(lookup->result, lookup->error);
	lookup->found = NULL;
	address_release(job);
	coil__ready(answer->task, 0);
}

static void address_interrupt(struct coil_task *task)
{
	struct answer *answer = task->object;

	coil__pool_abandon(&answer->lookup->job);
	coil__ready(task, WAKE_CANCELLED);
}

static const struct wait resolving = { .what = "getaddrinfo", .interrupt = address_interrupt };

static struct lookup *new_lookup(const char *node, const char *service,
				 const struct addrinfo *hints)
{
	size_t node_size = node ? strlen(node) + 1 : 0;
	size_t service_size = service ? strlen(service) + 1 : 0;
	struct lookup *lookup;

	lookup = calloc(1, sizeof(*lookup) + node_size + service_size);
	if (!lookup)
		return NULL;
	lookup->job.kind = ABANDONABLE_HOSTS;
	lookup->job.limit = coil__loop->io.lookups;
	lookup->local = !node || coil__is_numeric(node) || hints->ai_flags & AI_NUMERICHOST;
	lookup->job.work = look_up;
	lookup->job.done = answer;
	lookup->job.release = address_release;
	lookup->hints = *hints;
	if (node)
		lookup->node = memcpy(lookup->text, node, node_size);
	if (service)
		lookup->service = memcpy(lookup->text + node_size, service,
					 service_size);
	return lookup;
}

static int ask_thread(const char *node, const char *service,
		      const struct addrinfo *hints, struct addrinfo **ret)
{
	struct answer answer = { .task = coil__self() };
	int err;

	answer.lookup = new_lookup(node, service, hints);
	if (!answer.lookup)
		return -ENOMEM;
	answer.lookup->answer = &answer;
	err = coil__pool_abandonable(answer.task->loop, &answer.lookup->job);
	if (err) {
		free(answer.lookup);
		return err;
	}
	if (coil__park(answer.task, &resolving, &answer) == WAKE_CANCELLED)
		return coil__scope_deliver(answer.task);
	*ret = answer.found;
	return answer.result;
}

int coil_getaddrinfo(const char *node, const char *service,
		     const struct addrinfo *hints, struct addrinfo **ret)
{
	struct addrinfo own = { .ai_flags = AI_V4MAPPED | AI_ADDRCONFIG };
	int result = coil__enter();

	if (result)
		return result;
	if (!ret)
		return -EINVAL;
	if (hints)
		own = (struct addrinfo){
			.ai_flags = hints->ai_flags,
			.ai_family = hints->ai_family,
			.ai_socktype = hints->ai_socktype,
			.ai_protocol = hints->ai_protocol,
		};
	if (!node && !service)
		return -EAI_NONAME;
	result = coil__numeric_addresses(node, service, &own, ret);
	if (result != -EAGAIN)
		return result;
	return ask_thread(node, service, &own, ret);
}

static int as_errno(int result)
{
	if (result <= 0)
		return result;
	switch (-result) {
	case EAI_NONAME:
	case EAI_NODATA:
	case EAI_SERVICE:
	case EAI_ADDRFAMILY:
		return -ENOENT;
	case EAI_AGAIN:
		return -EAGAIN;
	case EAI_FAIL:
		return -EIO;
	default:
		return -EINVAL;
	}
}

int coil__address_resolve(struct address *address)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	bool name = *address->host;
	int err;

	if (!name && !*address->service)
		return 0;
	/*
	 * The host is an address: only the service is looked up.  Its port is
	 * the same in both families.
	 */
	if (!name)
		hints.ai_family = AF_INET;
	err = coil_getaddrinfo(name ? address->host : NULL, address->service,
			       &hints, &found);
	if (err || !found)
		return err ? as_errno(err) : -ENOENT;
	if (name) {
		address->list = address->found = found;
		return 0;
	}
	set_port(address, *port_of(found));
	freeaddrinfo(found);
	return 0;
}

void coil__address_free(struct address *address)
{
	if (address->found)
		freeaddrinfo(address->found);
	address->found = NULL;
}
