/* SPDX-License-Identifier: MIT */
#include <coil/timeout.h>
#include "core/task/elastic.h"
#include "core/task/loop.h"
#include "core/task/scope.h"
#include "core/task/task.h"
#include <errno.h>

static int timeout_begin(struct coil_timeout *timeout, unsigned flags)
{
	struct coil_task *self = coil_current_task();
	struct coil_scope *scope = timeout ? &timeout->scope : NULL;

	if (!timeout)
		return -EINVAL;
	if (!self)
		return -EPERM;
	if (scope->task || scope->flags)
		return -EINVAL;
	scope->flags = flags;
	coil__scope_push(scope, self);
	return 0;
}

int coil_timeout_begin(struct coil_timeout *timeout, int64_t ns)
{
	struct coil_scope *scope;
	int err = timeout_begin(timeout, 0);

	if (err)
		return err;
	scope = &timeout->scope;
	if (ns > 0) {
		int64_t now = ns == INT64_MAX ? 0 : coil__clock(scope->task->loop);

		err = coil__scope_arm(scope, coil__deadline(now, ns));
		if (err) {
			coil__scope_remove(scope);
			scope->flags = 0;
		}
		return err;
	}
	scope->deadline = coil__clock(scope->task->loop) + ns;
	coil__scope_cancel(scope, SCOPE_DUE);
	return 0;
}

int coil__elastic_begin(struct elastic *elastic, int64_t ns,
			int64_t (*until)(struct elastic *elastic))
{
	int err = coil_timeout_begin(&elastic->timeout, ns);

	elastic->until = until;
	if (!err)
		elastic->timeout.scope.flags |= SCOPE_ELASTIC;
	return err;
}

int coil_shield_begin(struct coil_timeout *shield, int64_t ns)
{
	int err = timeout_begin(shield, SCOPE_SHIELD);

	if (!err && ns != INT64_MAX)
		coil__scope_set_grace(&shield->scope, ns);
	return err;
}

int coil_timeout_reschedule(struct coil_timeout *timeout, int64_t when)
{
	struct coil_scope *scope = timeout ? &timeout->scope : NULL;
	int err;

	if (!timeout)
		return -EINVAL;
	if (!scope->task || scope->flags & SCOPE_DUE)
		return -EINVAL;
	if (scope->task != coil__self())
		return -EPERM;
	if (when != INT64_MAX && when <= coil__clock(scope->task->loop)) {
		coil__scope_arm(scope, INT64_MAX);
		scope->flags &= ~(unsigned)SCOPE_GRACE;
		scope->deadline = when;
		coil__scope_cancel(scope, SCOPE_DUE);
		return 0;
	}
	err = coil__scope_arm(scope, when);
	if (!err)
		scope->flags &= ~(unsigned)SCOPE_GRACE;
	return err;
}

int coil_timeout_end(struct coil_timeout *timeout)
{
	struct coil_scope *scope = timeout ? &timeout->scope : NULL;

	if (!timeout)
		return -EINVAL;
	if (!scope->task)
		return -EINVAL;
	if (scope->task != coil__self())
		return -EPERM;
	if (unlikely(scope->inner) && coil__scope_holds_but(scope, SCOPE_GROUP))
		return -EBUSY;
	coil__scope_remove(scope);
	scope->flags |= SCOPE_USED;
	return scope->flags & SCOPE_REPORTED ? -ETIMEDOUT : 0;
}

void coil_timeout_leave(struct coil_timeout *timeout)
{
	if (!timeout || !timeout->scope.task)
		return;
	coil_timeout_end(timeout);
	if (timeout->scope.task)
		coil__die(coil__self(), "leaves a block with a scope open in it: end that first");
}

bool coil_timeout_expired(const struct coil_timeout *timeout)
{
	return timeout && timeout->scope.flags & SCOPE_EXPIRED;
}

int64_t coil_timeout_when(const struct coil_timeout *timeout)
{
	const struct coil_scope *scope = timeout ? &timeout->scope : NULL;

	if (!scope || scope->flags & SCOPE_GRACE || (!scope->flags && !scope->task))
		return INT64_MAX;
	return scope->deadline;
}
