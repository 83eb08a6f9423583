/* SPDX-License-Identifier: MIT */
#ifndef COIL_H
#define COIL_H

/*
 * coil: asyncio for C.  Everything that is installed, in one line.
 */

#include <errno.h>

#include <coil/address.h>
#include <coil/barrier.h>
#include <coil/channel.h>
#include <coil/condition.h>
#include <coil/datagram.h>
#include <coil/event.h>
#include <coil/file.h>
#include <coil/future.h>
#include <coil/group.h>
#include <coil/lock.h>
#include <coil/process.h>
#include <coil/queue.h>
#include <coil/run.h>
#include <coil/rwlock.h>
#include <coil/select.h>
#include <coil/semaphore.h>
#include <coil/server.h>
#include <coil/signal.h>
#include <coil/socket.h>
#include <coil/stream.h>
#include <coil/task.h>
#include <coil/thread.h>
#include <coil/time.h>
#include <coil/timeout.h>
#include <coil/unix.h>
#include <coil/waitq.h>

#endif
