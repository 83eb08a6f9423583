/* SPDX-License-Identifier: MIT */
#ifndef COIL_TESTS_RESOLVER_H
#define COIL_TESTS_RESOLVER_H

/*
 * A resolver that obeys: the program's getaddrinfo() and freeaddrinfo(), which
 * the library calls as it is linked in.  It knows
 *
 *	many.test	what resolver_answers() says, with the port that was asked
 *	slow.test	the same, once resolver_let_go() has been called
 *	none.test again.test fail.test memory.test system.test empty.test
 *	test-service	port 4242
 *
 * and numbers.  No other name is looked up.  To be included by one file.
 */

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWERS = 16 };

static struct {
	const char *answers[ANSWERS];
	atomic_int busy;
	atomic_int family, type;	/* that a name was looked up for, last */
	sem_t go;
} resolver;

static void __attribute__((constructor)) begin_resolver(void)
{
	sem_init(&resolver.go, 0, 0);
}

/* Addresses as text; NULL ends. */
static inline void resolver_answers(const char *first, ...)
{
	const char *text = first;
	va_list args;
	int n = 0;

	va_start(args, first);
	for (; text && n < ANSWERS - 1; text = va_arg(args, const char *))
		resolver.answers[n++] = text;
	va_end(args);
	resolver.answers[n] = NULL;
}

static inline bool resolver_is_busy(void)
{
	return atomic_load(&resolver.busy) > 0;
}

static inline void resolver_let_go(void)
{
	sem_post(&resolver.go);
}

static struct addrinfo *make_answer(const char *text, int port,
				    const struct addrinfo *hints)
{
	struct {
		struct addrinfo ai;
		union {
			struct sockaddr_in in;
			struct sockaddr_in6 in6;
		};
	} *made = calloc(1, sizeof(*made));
	bool six = strchr(text, ':') != NULL;

	if (!made)
		return NULL;
	made->in.sin_family = six ? AF_INET6 : AF_INET;
	made->in.sin_port = htons((uint16_t)port);
	if (inet_pton(made->in.sin_family, text,
		      six ? (void *)&made->in6.sin6_addr
			  : (void *)&made->in.sin_addr) != 1 ||
	    (hints->ai_family && hints->ai_family != made->in.sin_family)) {
		free(made);
		return NULL;
	}
	made->ai.ai_family = made->in.sin_family;
	made->ai.ai_socktype = hints->ai_socktype;
	made->ai.ai_addr = (struct sockaddr *)&made->in;
	made->ai.ai_addrlen = six ? sizeof(made->in6) : sizeof(made->in);
	return &made->ai;
}

static int make_answers(const char *const texts[], int port,
			const struct addrinfo *hints, struct addrinfo **ret)
{
	struct addrinfo **at = ret;

	*ret = NULL;
	for (; *texts; texts++) {
		*at = make_answer(*texts, port, hints);
		if (*at)
			at = &(*at)->ai_next;
	}
	return *ret ? 0 : EAI_NONAME;
}

static int answer_name(const char *node, int port, const struct addrinfo *hints,
		       struct addrinfo **ret)
{
	atomic_store(&resolver.family, hints->ai_family);
	atomic_store(&resolver.type, hints->ai_socktype);
	if (!strcmp(node, "slow.test")) {
		atomic_fetch_add(&resolver.busy, 1);
		while (sem_wait(&resolver.go))
			;
		atomic_fetch_sub(&resolver.busy, 1);
	} else if (!strcmp(node, "again.test")) {
		return EAI_AGAIN;
	} else if (!strcmp(node, "fail.test")) {
		return EAI_FAIL;
	} else if (!strcmp(node, "memory.test")) {
		return EAI_MEMORY;
	} else if (!strcmp(node, "system.test")) {
		errno = EMFILE;
		return EAI_SYSTEM;
	} else if (!strcmp(node, "empty.test")) {
		*ret = NULL;
		return 0;
	} else if (strcmp(node, "many.test")) {
		return EAI_NONAME;
	}
	return make_answers(resolver.answers, port, hints, ret);
}

int getaddrinfo(const char *node, const char *service,
		const struct addrinfo *hints, struct addrinfo **ret)
{
	static const struct addrinfo none;
	const char *own[] = { node ? node : "127.0.0.1", NULL };
	unsigned char bytes[16];
	int port = service && isdigit((unsigned char)*service) ?
			   (int)strtol(service, NULL, 10) : -1;

	if (!hints)
		hints = &none;
	if (!node && !service)
		return EAI_NONAME;
	if (service && port < 0) {
		if (hints->ai_flags & AI_NUMERICSERV ||
		    strcmp(service, "test-service"))
			return EAI_NONAME;
		port = 4242;
	}
	if (!node || inet_pton(AF_INET, node, bytes) == 1 ||
	    inet_pton(AF_INET6, node, bytes) == 1)
		return make_answers(own, port, hints, ret);
	if (hints->ai_flags & AI_NUMERICHOST)
		return EAI_NONAME;
	return answer_name(node, port, hints, ret);
}

void freeaddrinfo(struct addrinfo *list)
{
	while (list) {
		struct addrinfo *next = list->ai_next;

		free(list);
		list = next;
	}
}

#endif
