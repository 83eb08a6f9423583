/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_BACKEND_URING_ABI_H
#define COIL_CORE_BACKEND_URING_ABI_H

/*
 * Constants of the kernel that are newer than liburing 2.3, the oldest one that coil
 * builds with.  coil asks the running kernel whether it knows them.
 */

#include <liburing.h>

/* Linux 6.9.  liburing has an enumerator of this name, which #ifndef cannot detect. */
#define IORING_OP_FTRUNCATE 55

#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7)	/* Linux 6.15, with this feature */
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#endif

#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)	/* Linux 6.1 */
#endif

#endif
