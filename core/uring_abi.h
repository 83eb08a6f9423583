/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_URING_ABI_H
#define COIL_CORE_URING_ABI_H

/*
 * The kernel's constants that are newer than the oldest liburing we build with
 * (2.3).  Whether a kernel knows them is found out by asking it.
 */

#include <liburing.h>

/* An enumerator there, so that #ifndef cannot tell.  Linux 6.9. */
#define IORING_OP_FTRUNCATE 55

#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7)	/* Linux 6.15, with this feature */
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#endif

#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)	/* Linux 6.1 */
#endif

#endif
