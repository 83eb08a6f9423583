/* SPDX-License-Identifier: MIT */
/*
 * An echo server by hand over io_uring.  ARGUMENTS: PORT [one | linked | multi].
 *
 *	one	a recv and then a send, one at a time, in the connection's own buffer
 *	linked	the send with the next recv linked behind it, which saves a turn
 *	multi	one multishot recv for each connection, into a ring of provided buffers
 *
 * The ring has its fastest set-up: SINGLE_ISSUER, DEFER_TASKRUN, direct (registered) file
 * slots for the connections, and one io_uring_enter a turn, which submits all operations
 * and waits for one completion.
 */
#include "bench/floor/listen.h"
#include <liburing.h>
#include <string.h>
#include <sys/mman.h>

enum { ENTRIES = 4096, BUFFER = 4096, SLOTS = 16384, GROUP = 1, POOL = 16384 };
enum what { ACCEPT, RECV, SEND };

/*
 * user_data is slot * 4 + what.  With a multishot recv, that of a send also has the number
 * of its buffer in the upper half.
 */
struct slot {
	bool open, closing;
	unsigned sends;		/* in flight */
	char *buffer;
};

static struct io_uring ring;
static struct io_uring_buf_ring *provided;
static char *pool;
static struct slot slots[SLOTS];
static bool multishot, linked;

static struct io_uring_sqe *get(enum what what, unsigned slot)
{
	struct io_uring_sqe *sqe;

	/* A send and the recv linked to it have to be submitted together. */
	if (io_uring_sq_space_left(&ring) < 1 + (what == SEND))
		io_uring_submit(&ring);
	sqe = io_uring_get_sqe(&ring);
	memset(sqe, 0, sizeof(*sqe));
	sqe->user_data = (uint64_t)slot * 4 + what;
	return sqe;
}

static void prep(struct io_uring_sqe *sqe, uint64_t user_data)
{
	sqe->user_data = user_data;
	sqe->flags |= IOSQE_FIXED_FILE;
}

static void accept_more(int listener)
{
	struct io_uring_sqe *sqe = get(ACCEPT, 0);
	uint64_t user_data = sqe->user_data;

	io_uring_prep_multishot_accept_direct(sqe, listener, NULL, NULL, 0);
	sqe->user_data = user_data;
}

static void receive(unsigned slot)
{
	struct io_uring_sqe *sqe = get(RECV, slot);
	uint64_t user_data = sqe->user_data;

	if (multishot) {
		io_uring_prep_recv_multishot(sqe, (int)slot, NULL, 0, 0);
		prep(sqe, user_data);
		sqe->flags |= IOSQE_BUFFER_SELECT;
		sqe->buf_group = GROUP;
	} else {
		io_uring_prep_recv(sqe, (int)slot, slots[slot].buffer, BUFFER, 0);
		prep(sqe, user_data);
	}
}

static void reply(unsigned slot, const char *from, unsigned length, unsigned buffer)
{
	struct io_uring_sqe *sqe = get(SEND, slot);
	uint64_t user_data = sqe->user_data | (uint64_t)buffer << 32;

	/* MSG_WAITALL: the kernel continues a partial send, so the order is kept. */
	io_uring_prep_send(sqe, (int)slot, from, length, MSG_NOSIGNAL | MSG_WAITALL);
	prep(sqe, user_data);
	if (linked) {
		sqe->flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
		receive(slot);
		return;
	}
	slots[slot].sends++;
}

static void give_back(unsigned buffer)
{
	io_uring_buf_ring_add(provided, pool + (size_t)buffer * BUFFER, BUFFER,
			      (unsigned short)buffer, io_uring_buf_ring_mask(POOL), 0);
	io_uring_buf_ring_advance(provided, 1);
}

static void finish(unsigned slot)
{
	struct io_uring_sqe *sqe;

	if (slots[slot].sends || !slots[slot].closing || !slots[slot].open)
		return;
	slots[slot].open = false;
	sqe = get(ACCEPT, 0);
	io_uring_prep_close_direct(sqe, slot);
	sqe->user_data = UINT64_MAX;
}

static void taken(const struct io_uring_cqe *cqe, int listener)
{
	if (cqe->res >= 0) {
		unsigned slot = (unsigned)cqe->res;

		slots[slot].open = true;
		slots[slot].closing = false;
		if (!multishot && !slots[slot].buffer && !(slots[slot].buffer = malloc(BUFFER)))
			abort();
		receive(slot);
	}
	if (!(cqe->flags & IORING_CQE_F_MORE))
		accept_more(listener);
}

static void received(const struct io_uring_cqe *cqe, unsigned slot)
{
	bool more = cqe->flags & IORING_CQE_F_MORE;

	if (cqe->res > 0 && multishot) {
		unsigned buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;

		reply(slot, pool + (size_t)buffer * BUFFER, (unsigned)cqe->res, buffer);
	} else if (cqe->res > 0) {
		reply(slot, slots[slot].buffer, (unsigned)cqe->res, 0);
	}
	if (cqe->res == -ENOBUFS || (cqe->res > 0 && multishot && !more)) {
		receive(slot);
	} else if (cqe->res <= 0) {
		slots[slot].closing = true;
		finish(slot);
	}
}

static void sent(const struct io_uring_cqe *cqe, unsigned slot)
{
	/* Only a failed send gets here.  Its linked recv is cancelled and ends the connection. */
	if (linked)
		return;
	slots[slot].sends--;
	if (multishot)
		give_back((unsigned)(cqe->user_data >> 32));
	if (cqe->res < 0)
		slots[slot].closing = true;
	else if (!multishot)
		receive(slot);
	finish(slot);
}

static void set_up(int listener)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL,
		.cq_entries = 32768,
	};
	struct io_uring_buf_reg where = { .ring_entries = POOL, .bgid = GROUP };

	if (io_uring_queue_init_params(ENTRIES, &ring, &params) ||
	    io_uring_register_files_sparse(&ring, SLOTS) ||
	    io_uring_register_ring_fd(&ring) < 0)
		exit(77);
	if (multishot) {
		pool = malloc((size_t)POOL * BUFFER);
		provided = mmap(NULL, POOL * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		where.ring_addr = (uint64_t)(uintptr_t)provided;
		if (!pool || provided == MAP_FAILED ||
		    io_uring_register_buf_ring(&ring, &where, 0))
			exit(77);
		for (unsigned i = 0; i < POOL; i++)
			give_back(i);
	}
	accept_more(listener);
}

int main(int argc, char **argv)
{
	int listener = floor_listen(argc, argv);

	floor_nodelay(listener);	/* accepted sockets inherit it */
	multishot = argc > 2 && argv[2][0] == 'm';
	linked = argc > 2 && argv[2][0] == 'l';
	set_up(listener);
	for (;;) {
		struct io_uring_cqe *cqe;
		unsigned head, batch = 0;

		io_uring_submit_and_wait(&ring, 1);
		io_uring_for_each_cqe(&ring, head, cqe) {
			unsigned slot = (unsigned)(cqe->user_data & UINT32_MAX) / 4;

			batch++;
			if (cqe->user_data == UINT64_MAX)
				continue;
			switch ((enum what)(cqe->user_data % 4)) {
			case ACCEPT: taken(cqe, listener); break;
			case RECV: received(cqe, slot); break;
			case SEND: sent(cqe, slot); break;
			}
		}
		io_uring_cq_advance(&ring, batch);
	}
}
