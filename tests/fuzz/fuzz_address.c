/* SPDX-License-Identifier: MIT */
/*
 * Addresses as text: whatever the bytes are, what is taken for an address has the
 * form that it says, and written as text again it is the same address.
 */
#include "io/address.h"
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool same(const struct addrinfo *one, const struct addrinfo *other)
{
	return one->ai_addrlen == other->ai_addrlen &&
	       !memcmp(one->ai_addr, other->ai_addr, one->ai_addrlen);
}

/* Port 0 stands for one that is yet to be chosen, and is no way to dial. */
static bool has_text(const struct addrinfo *ai)
{
	const struct sockaddr_in6 *in6 = (const void *)ai->ai_addr;

	if (ai->ai_family == AF_UNIX)
		return true;
	if (!in6->sin6_port)
		return false;
	return ai->ai_family == AF_INET || !IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
}

static void write_and_parse(const struct address *address, bool here)
{
	const struct addrinfo *ai = address->list;
	char text[COIL_ADDRESS_SIZE];
	struct address again;
	int len = coil__address_write(ai->ai_addr, ai->ai_addrlen, address->both,
				      text, sizeof(text));

	must(len > 0 && (size_t)len == strlen(text));
	must(!coil__address_parse(&again, text, here));
	must(again.list && same(again.list, ai));
	must(again.both == address->both);
	must(coil__address_write(ai->ai_addr, ai->ai_addrlen, address->both,
				 text, (size_t)len) == -ENOSPC);
}

static void check(const struct address *address, bool here)
{
	bool named = *address->host || *address->service;

	must(strnlen(address->host, sizeof(address->host)) <
	     sizeof(address->host));
	must(strnlen(address->service, sizeof(address->service)) <
	     sizeof(address->service));
	must((address->fd >= 0) != (address->list || named));
	must(!*address->host || (*address->service && !address->list));
	if (address->list && !*address->service && has_text(address->list))
		write_and_parse(address, here);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of its own size, so that a byte read too many is seen. */
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (int here = 0; here < 2; here++) {
		struct address address;
		int err = coil__address_parse(&address, text, here);

		must(!err || err == -EINVAL || err == -ENAMETOOLONG ||
		     err == -ENODEV);
		if (!err)
			check(&address, here);
	}
	free(text);
	return 0;
}
