/* SPDX-License-Identifier: MIT */
#include "core/task/var.h"
#include "core/task/loop.h"
#include "core/task/task.h"
#include <coil/task.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct value {
	const struct coil_var *var;
	void *value;
};

struct vars {
	atomic_uint refs;	/* jobs on other threads may hold some */
	size_t n;
	struct value values[];
};

__thread struct vars *coil__thread_vars;

struct vars *coil__vars_ref(struct vars *vars)
{
	if (vars)
		atomic_fetch_add_explicit(&vars->refs, 1, memory_order_relaxed);
	return vars;
}

void coil__vars_unref(struct vars *vars)
{
	if (vars && atomic_fetch_sub_explicit(&vars->refs, 1, memory_order_acq_rel) == 1)
		free(vars);
}

static struct value *vars_find(struct vars *vars, const struct coil_var *var)
{
	for (size_t i = 0; vars && i < vars->n; i++) {
		if (vars->values[i].var == var)
			return &vars->values[i];
	}
	return NULL;
}

/* Makes room for one more value in the copy. */
static struct vars *vars_copy(const struct vars *vars)
{
	size_t n = vars ? vars->n : 0;
	struct vars *mine = malloc(sizeof(*mine) + (n + 1) * sizeof(mine->values[0]));

	if (!mine)
		return NULL;
	atomic_init(&mine->refs, 1);
	mine->n = n;
	if (n)
		memcpy(mine->values, vars->values, n * sizeof(mine->values[0]));
	return mine;
}

int coil_var_set(struct coil_var *var, void *value)
{
	struct coil_task *self = coil__self();
	struct value *known;
	struct vars *mine;

	if (self->pending == -EPERM)
		return -EPERM;
	if (!var)
		return -EINVAL;
	known = vars_find(self->vars, var);
	if (!known || atomic_load_explicit(&self->vars->refs, memory_order_acquire) > 1) {
		mine = vars_copy(self->vars);
		if (!mine)
			return -ENOMEM;
		coil__vars_unref(self->vars);
		self->vars = mine;
		self->needs_cleanup = true;
		known = vars_find(mine, var);
		if (!known)
			known = &mine->values[mine->n++];
	}
	*known = (struct value){ var, value };
	return 0;
}

void *coil_var_get(const struct coil_var *var)
{
	struct coil_task *self = coil__self();
	const struct value *known;

	known = vars_find(self->pending == -EPERM ? coil__thread_vars : self->vars, var);
	return known ? known->value : NULL;
}
