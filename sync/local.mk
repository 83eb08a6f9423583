# SPDX-License-Identifier: MIT
# What tasks meet at: a new noun is a source and a header here, sorted.

libcoil_all_la_SOURCES += \
	%D%/barrier.c \
	%D%/channel.c \
	%D%/condition.c \
	%D%/event.c \
	%D%/lock.c \
	%D%/queue.c \
	%D%/rwlock.c \
	%D%/select.c \
	%D%/semaphore.c \
	%D%/channel.h \
	%D%/queue.h

coilinclude_HEADERS += \
	include/coil/barrier.h \
	include/coil/channel.h \
	include/coil/condition.h \
	include/coil/event.h \
	include/coil/lock.h \
	include/coil/queue.h \
	include/coil/rwlock.h \
	include/coil/select.h \
	include/coil/semaphore.h
