/* SPDX-License-Identifier: MIT */
/* The C++ half of plugin_host.c: tasks rethrow what they caught before they parked. */
#include <coil.h>
#include <cstdint>

static int rethrow_own(void *arg)
{
	const intptr_t number = reinterpret_cast<intptr_t>(arg);

	try {
		try {
			throw number;
		} catch (intptr_t) {
			/* The one that throws last goes on first. */
			coil_sleep(number * COIL_MILLISECOND);
			throw;
		}
	} catch (intptr_t caught) {
		return caught == number ? 0 : 1;
	}
	return 2;
}

extern "C" int plugin(void *)
{
	struct coil_task *tasks[2];
	int results[2];

	for (intptr_t i = 0; i < 2; i++)
		tasks[i] = coil_create_task(rethrow_own, reinterpret_cast<void *>(i + 1));
	if (coil_gather(tasks, 2, results))
		return 3;
	return results[0] | results[1];
}
