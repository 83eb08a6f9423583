/* SPDX-License-Identifier: MIT */
/* Addresses of sockets as text, that can be dialled. */
#include "tests/sockets.h"
#include "tests/support.h"
#include <coil.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>

static const char *local(int fd)
{
	static char text[COIL_ADDRESS_SIZE];
	int len = coil_local_address(fd, text, sizeof(text));

	ck_assert_msg(len > 0, "%d", len);
	ck_assert_uint_eq(strlen(text), (size_t)len);
	return text;
}

/* What was listened on can be dialled, and each end names the other. */
static void round_trip(const char *address, const char *begins)
{
	char peer[COIL_ADDRESS_SIZE], own[COIL_ADDRESS_SIZE];
	int listener = coil_listen(address, NULL), client, server;
	bool named;

	if (listener == -EADDRNOTAVAIL || listener == -EAFNOSUPPORT) {
		printf("skip: %s: %s\n", address, strerror(-listener));
		return;
	}
	ck_assert_msg(listener >= 0, "%s: %d", address, listener);
	ck_assert_msg(!strncmp(local(listener), begins, strlen(begins)),
		      "%s is %s", address, local(listener));
	client = coil_dial(local(listener));
	ck_assert_msg(client >= 0, "%s: %d", local(listener), client);
	server = coil_accept(listener, NULL, NULL);
	ck_assert_int_ge(server, 0);
	ck_assert_int_gt(coil_peer_address(client, peer, sizeof(peer)), 0);
	ck_assert_str_eq(peer, local(server));
	/* A client of AF_UNIX has no name. */
	named = coil_local_address(client, own, sizeof(own)) > 0;
	ck_assert_int_eq(named, strncmp(address, "unix:", 5) != 0);
	if (named) {
		ck_assert_int_gt(coil_peer_address(server, peer, sizeof(peer)),
				 0);
		ck_assert_str_eq(peer, own);
	} else {
		ck_assert_int_eq(coil_peer_address(server, peer, sizeof(peer)),
				 -EADDRNOTAVAIL);
	}
	coil_close(client);
	coil_close(server);
	coil_close(listener);
}

COIL_TEST(what_was_listened_on_can_be_dialled_by_its_text)
{
	round_trip("127.0.0.1:0", "127.0.0.1:");
	round_trip("0.0.0.0:0", "0.0.0.0:");
	round_trip("[::1]:0", "[::1]:");
	round_trip("[::]:0", "[::]:");
	round_trip(":0", ":");
	round_trip("unix:@coil-check-name", "unix:@coil-check-name");
}

COIL_TEST(a_socket_file_is_known_by_its_path)
{
	char folder[] = "/tmp/coil-name-XXXXXX", address[64], path[120];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(address, sizeof(address), "unix:%s/sock", folder);
	round_trip(address, address);
	unlink(address + 5);
	/* A file whose name begins as an abstract one does. */
	ck_assert_int_eq(chdir(folder), 0);
	round_trip("unix:./@sock", "unix:./@sock");
	unlink("@sock");
	memset(path, 'a', sizeof(path));
	memcpy(path, "unix:", 5);
	path[5 + 107] = '\0';
	round_trip(path, path);
	unlink(path + 5);
	ck_assert_int_eq(chdir("/"), 0);
	rmdir(folder);
}

COIL_TEST(the_port_of_port_0_is_the_one_that_the_kernel_chose)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);
	int fd = coil_listen("127.0.0.1:0", NULL);
	char text[32];

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	snprintf(text, sizeof(text), "127.0.0.1:%d", ntohs(addr.sin_port));
	ck_assert_str_eq(local(fd), text);
	coil_close(fd);
}

COIL_TEST(a_client_of_ipv4_is_written_as_such_whatever_it_came_to)
{
	int listener = coil_listen(":0", NULL), client, server;
	char text[COIL_ADDRESS_SIZE], address[COIL_ADDRESS_SIZE + 16];

	snprintf(address, sizeof(address), "127.0.0.1%s", local(listener));
	client = coil_dial(address);
	ck_assert_int_ge(client, 0);
	server = coil_accept(listener, NULL, NULL);
	ck_assert_int_gt(coil_peer_address(server, text, sizeof(text)), 0);
	ck_assert_str_eq(text, local(client));
	ck_assert(!strncmp(text, "127.0.0.1:", 10));
	ck_assert_str_eq(local(server), address);
	coil_close(client);
	coil_close(server);
	coil_close(listener);
}

/* To connect a datagram socket sends nothing. */
static bool names_interface(const struct if_nameindex *interface)
{
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6, .sin6_port = htons(7),
		.sin6_scope_id = interface->if_index,
	};
	int fd = coil_socket(AF_INET6, SOCK_DGRAM, 0);
	char text[COIL_ADDRESS_SIZE], expected[COIL_ADDRESS_SIZE];
	bool connected;

	inet_pton(AF_INET6, "fe80::1", &in6.sin6_addr);
	connected = fd >= 0 && !connect(fd, (struct sockaddr *)&in6, sizeof(in6));
	if (connected) {
		ck_assert_int_gt(coil_peer_address(fd, text, sizeof(text)), 0);
		snprintf(expected, sizeof(expected), "[fe80::1%%%s]:7",
			 interface->if_name);
		ck_assert_str_eq(text, expected);
	}
	coil_close(fd);
	return connected;
}

COIL_TEST(a_link_local_address_names_its_interface)
{
	struct if_nameindex *interfaces = if_nameindex();
	int named = 0;

	ck_assert_ptr_nonnull(interfaces);
	for (int i = 0; interfaces[i].if_index; i++)
		named += names_interface(&interfaces[i]);
	if_freenameindex(interfaces);
	if (!named)
		printf("skip: no interface has link-local addresses\n");
}

START_TEST(what_has_no_address_or_no_text_says_so)
{
	static const char odd[] = "\0odd\0name";
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char text[COIL_ADDRESS_SIZE] = "as it was";
	int tcp = coil_socket(AF_INET, SOCK_STREAM, 0), fds[2];
	int unbound = coil_socket(AF_UNIX, SOCK_STREAM, 0), netlink;

	ck_assert_int_eq(coil_local_address(tcp, text, 128), -EADDRNOTAVAIL);
	ck_assert_int_eq(coil_peer_address(tcp, text, 128), -ENOTCONN);
	ck_assert_int_eq(coil_local_address(unbound, text, 128), -EADDRNOTAVAIL);
	memcpy(un.sun_path, odd, sizeof(odd));
	ck_assert_int_eq(bind(unbound, (struct sockaddr *)&un,
			      offsetof(struct sockaddr_un, sun_path) +
			      sizeof(odd)), 0);
	ck_assert_int_eq(coil_local_address(unbound, text, 128), -EINVAL);
	unix_pair(fds, SOCK_STREAM);
	ck_assert_int_eq(coil_peer_address(fds[0], text, 128), -EADDRNOTAVAIL);
	netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (netlink >= 0)
		ck_assert_int_eq(coil_local_address(netlink, text, 128),
				 -EAFNOSUPPORT);
	ck_assert_int_eq(coil_local_address(-1, text, 128), -EBADF);
	ck_assert_int_eq(coil_peer_address(-1, text, 128), -EBADF);
	ck_assert_int_eq(coil_local_address(tcp, NULL, 128), -EFAULT);
	ck_assert_int_eq(coil_peer_address(tcp, NULL, 128), -EFAULT);
	ck_assert_str_eq(text, "as it was");
	close(netlink);
	coil_close(tcp);
	coil_close(unbound);
	close_all(fds, 2);
}
END_TEST

START_TEST(an_abstract_name_that_fills_its_place_has_no_text)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = coil_socket(AF_UNIX, SOCK_STREAM, 0);
	char text[COIL_ADDRESS_SIZE];

	memset(un.sun_path + 1, 'n', sizeof(un.sun_path) - 1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	ck_assert_int_eq(coil_local_address(fd, text, sizeof(text)),
			 -ENAMETOOLONG);
	coil_close(fd);
}
END_TEST

START_TEST(a_text_that_is_too_small_stays_as_it_is)
{
	int fd = coil_listen("127.0.0.1:0", NULL);
	char text[COIL_ADDRESS_SIZE] = "as it was";
	int len = (int)strlen(local(fd));

	ck_assert_int_eq(coil_local_address(fd, text, 0), -ENOSPC);
	ck_assert_int_eq(coil_local_address(fd, text, (size_t)len), -ENOSPC);
	ck_assert_str_eq(text, "as it was");
	ck_assert_int_eq(coil_local_address(fd, text, (size_t)len + 1), len);
	ck_assert_str_eq(text, local(fd));
	coil_close(fd);
}
END_TEST

Suite *suite(void)
{
	Suite *whole = suite_create("name");
	TCase *tests = tcase_create("name");

	tcase_add_test(tests, what_was_listened_on_can_be_dialled_by_its_text);
	tcase_add_test(tests, a_socket_file_is_known_by_its_path);
	tcase_add_test(tests,
		       the_port_of_port_0_is_the_one_that_the_kernel_chose);
	tcase_add_test(tests,
		       a_client_of_ipv4_is_written_as_such_whatever_it_came_to);
	tcase_add_test(tests, a_link_local_address_names_its_interface);
	tcase_add_test(tests, what_has_no_address_or_no_text_says_so);
	tcase_add_test(tests,
		       an_abstract_name_that_fills_its_place_has_no_text);
	tcase_add_test(tests, a_text_that_is_too_small_stays_as_it_is);
	suite_add_tcase(whole, tests);
	return whole;
}
