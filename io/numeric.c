/* SPDX-License-Identifier: MIT */
/* Addresses that need no name server: numbers, and names in /etc/hosts. */
#include "io/address.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* freeaddrinfo(3) frees only the addrinfo, so both are one allocation. */
struct numeric {
	struct addrinfo ai;
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} where;
};

static const struct kind {
	int type;
	int protocol;		/* 0: any */
} kinds[] = {
	{ SOCK_STREAM, IPPROTO_TCP }, { SOCK_DGRAM, IPPROTO_UDP }, { SOCK_RAW, 0 },
};

static bool is_decimal(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text) && strlen(text) < 10;
}

static bool parse_port(struct numeric *made, const char *service)
{
	unsigned long port = 0;

	if (service && !is_decimal(service))
		return false;
	if (service)
		port = strtoul(service, NULL, 10);
	made->where.in.sin_port = htons((uint16_t)port);
	return port <= UINT16_MAX;
}

static bool parse_six(struct sockaddr_in6 *in6, const char *node)
{
	const char *scope = strchr(node, '%');
	char text[INET6_ADDRSTRLEN];
	size_t len = scope ? (size_t)(scope - node) : strlen(node);

	if (len >= sizeof(text))
		return false;
	memcpy(text, node, len);
	text[len] = '\0';
	if (inet_pton(AF_INET6, text, &in6->sin6_addr) != 1)
		return false;
	if (!scope)
		return true;
	in6->sin6_scope_id = if_nametoindex(scope + 1);
	if (!in6->sin6_scope_id && is_decimal(scope + 1))
		in6->sin6_scope_id = (uint32_t)strtoul(scope + 1, NULL, 10);
	return in6->sin6_scope_id != 0;
}

static bool parse_node(struct numeric *made, const char *node)
{
	made->ai.ai_addr = &made->where.any;
	if (inet_pton(AF_INET, node, &made->where.in.sin_addr) == 1) {
		made->ai.ai_family = AF_INET;
		made->ai.ai_addrlen = sizeof(made->where.in);
	} else if (parse_six(&made->where.in6, node)) {
		made->ai.ai_family = AF_INET6;
		made->ai.ai_addrlen = sizeof(made->where.in6);
	} else {
		return false;
	}
	made->where.any.sa_family = (sa_family_t)made->ai.ai_family;
	return true;
}

static bool is_wanted(const struct kind *kind, const struct addrinfo *hints)
{
	return (!hints->ai_socktype || hints->ai_socktype == kind->type) &&
	       (!hints->ai_protocol || !kind->protocol || hints->ai_protocol == kind->protocol);
}

static int numeric_copy(const struct numeric *made, const struct kind *kind,
			const struct addrinfo *hints, struct addrinfo **ret)
{
	struct numeric *one = malloc(sizeof(*one));

	if (!one)
		return -ENOMEM;
	*one = *made;
	one->ai.ai_addr = &one->where.any;
	one->ai.ai_flags = hints->ai_flags;
	one->ai.ai_socktype = kind->type;
	one->ai.ai_protocol = kind->protocol ? kind->protocol : hints->ai_protocol;
	*ret = &one->ai;
	return 0;
}

static int copy_all(const struct numeric *made, const struct addrinfo *hints,
		    struct addrinfo **ret)
{
	struct addrinfo *list = NULL, **end = &list;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (!is_wanted(&kinds[i], hints))
			continue;
		if (numeric_copy(made, &kinds[i], hints, end)) {
			if (list)
				freeaddrinfo(list);
			return -ENOMEM;
		}
		end = &(*end)->ai_next;
	}
	if (!list)
		return -EAGAIN;
	*ret = list;
	return 0;
}

/* Leaves rare cases to getaddrinfo(3), which knows all the rules. */
int coil__numeric_addresses(const char *node, const char *service,
			    const struct addrinfo *hints, struct addrinfo **ret)
{
	const int plain = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV | AI_V4MAPPED |
			  AI_ADDRCONFIG;
	struct numeric made = {0};

	if (!node || hints->ai_flags & ~plain || !parse_node(&made, node) ||
	    !parse_port(&made, service))
		return -EAGAIN;
	if (hints->ai_family != AF_UNSPEC && hints->ai_family != made.ai.ai_family)
		return -EAGAIN;
	return copy_all(&made, hints, ret);
}

bool coil__is_numeric(const char *node)
{
	struct in_addr in;

	return strchr(node, ':') || inet_aton(node, &in);
}

static bool line_has(char *line, const char *name)
{
	char *rest = line, *word;

	line[strcspn(line, "#\n")] = '\0';
	/* The first word is the address. */
	word = strtok_r(rest, " \t\r", &rest);
	while (word && (word = strtok_r(NULL, " \t\r", &rest))) {
		if (!strcasecmp(word, name))
			return true;
	}
	return false;
}

bool coil__hosts_have(const char *name)
{
	char line[1024];
	bool found = false;
	FILE *file;

	if (!strcasecmp(name, "localhost"))
		return true;
	file = fopen("/etc/hosts", "re");
	while (file && !found && fgets(line, sizeof(line), file))
		found = line_has(line, name);
	if (file)
		fclose(file);
	return found;
}
