/* SPDX-License-Identifier: MIT */
/*
 * Boost.Asio: an echo server with callbacks on one thread, and a thread that wakes the
 * loop by post().  A concurrency hint of 1 removes the locks.
 * ARGUMENTS: echo PORT | wakeup N
 */
#include "bench/wakeup.h"
#include <boost/asio.hpp>
#include <memory>
#include <string.h>

namespace asio = boost::asio;
using asio::ip::tcp;

struct Session : std::enable_shared_from_this<Session> {
	tcp::socket socket;
	char buffer[4096];

	explicit Session(tcp::socket from) : socket(std::move(from)) {}

	void read()
	{
		socket.async_read_some(asio::buffer(buffer),
			[self = shared_from_this()](boost::system::error_code err, size_t n) {
				if (!err)
					self->write(n);
			});
	}

	void write(size_t n)
	{
		asio::async_write(socket, asio::buffer(buffer, n),
			[self = shared_from_this()](boost::system::error_code err, size_t) {
				if (!err)
					self->read();
			});
	}
};

static void take(tcp::acceptor &acceptor)
{
	acceptor.async_accept([&acceptor](boost::system::error_code err, tcp::socket socket) {
		if (!err) {
			socket.set_option(tcp::no_delay(true));
			std::make_shared<Session>(std::move(socket))->read();
		}
		take(acceptor);
	});
}

static asio::io_context *woken;
static asio::executor_work_guard<asio::io_context::executor_type> *guard;

static void wake()
{
	asio::post(*woken, [] {
		if (wakeup_answer())
			guard->reset();
	});
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "wakeup")) {
		asio::io_context context;
		auto work = asio::make_work_guard(context);

		woken = &context;
		guard = &work;
		wakeup_begin(bench_argument(argc, argv, 2, 100000), wake);
		context.run();
		wakeup_end();
	} else {
		asio::io_context context(1);
		tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(),
			(unsigned short)bench_argument(argc, argv, 2, 7000)));

		acceptor.listen(SOMAXCONN);
		take(acceptor);
		context.run();
	}
	return 0;
}
