# SPDX-License-Identifier: MIT
# POSIX calls that park: a new source is a line here, sorted.

libcoil_all_la_SOURCES += \
	%D%/address.c \
	%D%/close.c \
	%D%/close.h \
	%D%/child.c \
	%D%/child.h \
	%D%/communicate.c \
	%D%/datagram.c \
	%D%/dial.c \
	%D%/file.c \
	%D%/listen.c \
	%D%/listen_unix.c \
	%D%/name.c \
	%D%/numeric.c \
	%D%/poll.c \
	%D%/process.c \
	%D%/server.c \
	%D%/server_accept.c \
	%D%/server_arrivals.c \
	%D%/server_connection.c \
	%D%/server_listen.c \
	%D%/server_peers.c \
	%D%/signal.c \
	%D%/socket.c \
	%D%/spawn.c \
	%D%/stream.c \
	%D%/stream_queue.c \
	%D%/stream_read.c \
	%D%/stream_write.c \
	%D%/unix.c \
	%D%/wait.c \
	%D%/address.h \
	%D%/control.h \
	%D%/process.h \
	%D%/server.h \
	%D%/signal.h \
	%D%/stream.h \
	%D%/wait.h

coilinclude_HEADERS += \
	include/coil/address.h \
	include/coil/datagram.h \
	include/coil/file.h \
	include/coil/process.h \
	include/coil/server.h \
	include/coil/signal.h \
	include/coil/socket.h \
	include/coil/stream.h \
	include/coil/unix.h
