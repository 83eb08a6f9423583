/* SPDX-License-Identifier: MIT */
/*
 * The peers of a server: the number of connections of each address, the socket options
 * that detect dead peers, and the fd in reserve.
 *
 * The counts are in a table with open addressing: an entry lies at its hash or behind
 * it, with no gap between.  The hash has a seed, so that no client can choose addresses
 * with equal hashes.
 */
#include "io/server.h"
#include <coil/time.h>
#include <errno.h>
#include <limits.h>
#include <linux/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

struct peer {
	uint64_t key[2];
	uint32_t connections;	/* 0: the entry is free */
};

/*
 * Computes the key of a peer.  Returns false if the peer has no IP address.  A host has
 * one IPv4 address, or an IPv6 /64 network.  All hosts of a link share the network of
 * its link-local addresses, so there the key is the whole address.
 */
static bool key_of(const struct arrival *arrival, uint64_t key[2])
{
	struct in6_addr in6 = {0};

	switch (arrival->peer.any.sa_family) {
	case AF_INET:
		in6.s6_addr16[5] = 0xffff;
		in6.s6_addr32[3] = arrival->peer.in.sin_addr.s_addr;
		break;
	case AF_INET6:
		in6 = arrival->peer.in6.sin6_addr;
		if (!IN6_IS_ADDR_V4MAPPED(&in6) && !IN6_IS_ADDR_LINKLOCAL(&in6))
			memset(in6.s6_addr + 8, 0, 8);
		break;
	default:
		return false;
	}
	memcpy(key, &in6, sizeof(in6));
	return true;
}

static size_t peers_place_of(const struct peers *peers, const uint64_t key[2])
{
	uint64_t hash = (key[0] ^ peers->seed) * UINT64_C(0x9e3779b97f4a7c15);

	hash = (hash ^ hash >> 32 ^ key[1]) * UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(hash ^ hash >> 32) & (peers->capacity - 1);
}

/* Returns the entry of the key, or the free entry where it belongs. */
static struct peer *peers_find(const struct peers *peers, const uint64_t key[2])
{
	size_t i = peers_place_of(peers, key);

	while (peers->table[i].connections &&
	       memcmp(peers->table[i].key, key, sizeof(peers->table[i].key)) != 0)
		i = (i + 1) & (peers->capacity - 1);
	return &peers->table[i];
}

static bool peers_make_room(struct peers *peers)
{
	struct peers larger = *peers;

	if (2 * peers->count < peers->capacity)
		return true;
	larger.capacity = peers->capacity ? 2 * peers->capacity : 64;
	larger.table = calloc(larger.capacity, sizeof(*larger.table));
	if (!larger.table)
		return false;
	if (!peers->capacity &&
	    getrandom(&larger.seed, sizeof(larger.seed), GRND_NONBLOCK) != sizeof(larger.seed))
		larger.seed = (uint64_t)(uintptr_t)larger.table;
	for (size_t i = 0; i < peers->capacity; i++) {
		if (peers->table[i].connections)
			*peers_find(&larger, peers->table[i].key) = peers->table[i];
	}
	free(peers->table);
	*peers = larger;
	return true;
}

bool coil__server_admit(struct coil_server *server, const struct arrival *arrival)
{
	struct peers *peers = &server->peers;
	struct peer *peer;
	uint64_t key[2];

	if (!server->options.max_per_address || !key_of(arrival, key))
		return true;
	if (!peers_make_room(peers)) {
		server->lost = -ENOMEM;
		return false;
	}
	peer = peers_find(peers, key);
	if (peer->connections >= server->options.max_per_address)
		return false;
	if (!peer->connections) {
		memcpy(peer->key, key, sizeof(peer->key));
		peers->count++;
	}
	peer->connections++;
	return true;
}

/* Moves an entry behind the gap into it, unless its hash is behind the gap too. */
static void close_gap(struct peers *peers, size_t gap)
{
	size_t mask = peers->capacity - 1;

	for (size_t i = (gap + 1) & mask; peers->table[i].connections; i = (i + 1) & mask) {
		size_t place = peers_place_of(peers, peers->table[i].key);

		if (((i - place) & mask) < ((i - gap) & mask))
			continue;
		peers->table[gap] = peers->table[i];
		peers->table[i].connections = 0;
		gap = i;
	}
}

void coil__server_forget(struct coil_server *server, const struct arrival *arrival)
{
	struct peers *peers = &server->peers;
	struct peer *peer;
	uint64_t key[2];

	if (!server->options.max_per_address || !key_of(arrival, key))
		return;
	peer = peers_find(peers, key);
	if (--peer->connections)
		return;
	peers->count--;
	close_gap(peers, (size_t)(peer - peers->table));
}

/*
 * The peer may be silent for half of the time; four probes are sent in the other half.
 * TCP_USER_TIMEOUT limits how long bytes may stay unacknowledged.
 */
static void keep_alive(int fd, int64_t ns)
{
	int64_t seconds = ns / (2 * COIL_SECOND), ms = ns / COIL_MILLISECOND;
	int on = 1, idle, interval, count = 4, timeout;

	idle = seconds < 1 ? 1 : seconds > SHRT_MAX ? SHRT_MAX : (int)seconds;
	interval = idle < 4 ? 1 : idle / 4;
	timeout = ms < 1 ? 1 : ms > INT_MAX ? INT_MAX : (int)ms;
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
}

void coil__server_set_options(const struct coil_server *server, int fd)
{
	const struct coil_server_options *options = &server->options;
	unsigned lowat = options->notsent_lowat;

	if (options->keepalive_ns)
		keep_alive(fd, options->keepalive_ns);
	if (lowat)
		setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof(lowat));
}

void coil__server_release(struct coil_server *server)
{
	if (server->reserve >= 0)
		close(server->reserve);
	server->reserve = -1;
}

bool coil__server_regain(struct coil_server *server)
{
	int reserve = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), spare;

	if (reserve < 0)
		return false;
	spare = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (spare < 0) {
		close(reserve);
		return false;
	}
	close(spare);
	server->reserve = reserve;
	return true;
}

/* The shortest round trip of a connection is at most that of its handshake. */
int64_t coil__round_trip(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return 0;
	return info.tcpi_min_rtt == UINT32_MAX ? 0 : info.tcpi_min_rtt * COIL_MICROSECOND;
}

uint64_t coil__bytes_acked(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) ? 0 : info.tcpi_bytes_acked;
}
