/* SPDX-License-Identifier: MIT */
/* Names of tasks, for reports and debugging. */
#include "core/task/task.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *coil_task_name(const struct coil_task *task)
{
	struct coil_task *own = (struct coil_task *)task;

	if (!task)
		return "(no task)";
	if (task->name)
		return task->name;
	/* Made at the first call, because most tasks never need a name. */
	if (coil_task_set_name(own, "task-%llu", (unsigned long long)task->number))
		return "task";
	return own->name;
}

int coil_task_set_name(struct coil_task *task, const char *format, ...)
{
	char *name;
	va_list args;
	int n;

	if (!task || !format)
		return -EINVAL;
	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	name = n < 0 ? NULL : malloc((size_t)n + 1);
	if (!name)
		return n < 0 ? -EINVAL : -ENOMEM;
	va_start(args, format);
	vsnprintf(name, (size_t)n + 1, format, args);
	va_end(args);
	free(task->name);
	task->name = name;
	task->needs_cleanup = true;
	return 0;
}
