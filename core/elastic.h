/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_ELASTIC_H
#define COIL_CORE_ELASTIC_H

#include <coil/timeout.h>

/*
 * A timeout whose deadline may be put off when it falls due: until() says to when, or
 * an instant that has passed.  It runs on the loop and does not park.  Ended by
 * coil_timeout_end().
 */
struct elastic {
	struct coil_timeout timeout;
	int64_t (*until)(struct elastic *elastic);
};

/* As coil_timeout_begin(). */
int coil__elastic_begin(struct elastic *elastic, int64_t ns,
			int64_t (*until)(struct elastic *elastic));

#endif
