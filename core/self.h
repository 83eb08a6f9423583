/* SPDX-License-Identifier: MIT */
#ifndef COIL_CORE_SELF_H
#define COIL_CORE_SELF_H

/*
 * coil_check(), but not a call: for the fast paths of sync, where that call would be
 * a quarter of the price (docs/rationale.md has the figure).  The one thing of core
 * that sync sees.
 */

#include "core/task.h"

static inline int coil__pending(void)
{
	return coil__current->pending;
}

#endif
