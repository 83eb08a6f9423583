/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_TASK_ELASTIC_H
#define COIL_CORE_TASK_ELASTIC_H

#include <coil/timeout.h>

/*
 * A timeout whose deadline can move when it is reached.  The loop then calls
 * until(), which returns the new deadline, or a time that has passed if the
 * timeout expires.  until() must not park.  coil_timeout_end() ends an elastic
 * timeout.
 */
struct elastic {
	struct coil_timeout timeout;
	int64_t (*until)(struct elastic *elastic);
};

/* Begins an elastic timeout, with the errors of coil_timeout_begin(). */
int coil__elastic_begin(struct elastic *elastic, int64_t ns,
			int64_t (*until)(struct elastic *elastic));

#endif
