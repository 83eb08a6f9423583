/* SPDX-License-Identifier: MIT */
/*
 * A C++ runtime that the program is linked with is loaded before the loop
 * starts.  A runtime that dlopen(3) loads while the loop runs should be found
 * before two tasks have used it.  But a search of all loaded objects is too
 * slow for a switch.
 *
 * The dynamic linker keeps the objects in a list and appends new ones.  If the
 * last object can never be unloaded, cxx.watch points to its next pointer, and
 * a switch sees at once that an object was appended.  This is the case in a
 * program that has loaded nothing yet.  Otherwise a pass checks now and then
 * how many objects were ever loaded.
 */
#include "core/task/cxx.h"
#include "core/task/lock.h"
#include "core/task/loop.h"
#include <coil/time.h>
#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

/* How often a pass checks.  Loading a C++ runtime takes as long. */
#define LOOK_EVERY COIL_MILLISECOND

/* Weak: defined only if the program, or a library that it links, is C++. */
extern void *__cxa_get_globals(void) __attribute__((weak));
extern void (*std_set_terminate(void (*handler)(void)))(void)
	__asm__("_ZSt13set_terminatePFvvE") __attribute__((weak));

struct runtime {
	void *(*get_globals)(void);
	void (*(*set_terminate)(void (*handler)(void)))(void);
};

static const void *const nothing;
static void (*previous)(void);

static void terminate(void)
{
	const struct coil_task *self = coil_current_task();

	if (self)
		coil__warn("task %s is ended by an exception that nothing catches",
			   coil_task_name(self));
	if (previous)
		previous();
	abort();
}

/* Sets the handler once for the process: the program may replace it. */
static void name_tasks(const struct runtime *runtime)
{
	static bool named;

	if (!runtime->set_terminate)
		return;
	coil__lock(LOCK_CXX);
	if (!named)
		previous = runtime->set_terminate(terminate);
	named = true;
	coil__unlock(LOCK_CXX);
}

/* A search of all loaded objects.  It runs under the dynamic linker's lock. */
struct search {
	struct coil_loop *loop;
	char library[1024];	/* the path of a C++ runtime; "": none found */
	bool changed;		/* objects were loaded since the last search */
};

/* Weak: a statically linked program has no _DYNAMIC, and no object matches. */
#pragma weak _DYNAMIC

/* Returns the last object if it can never be unloaded, otherwise NULL. */
static const struct link_map *last_for_good(void)
{
	const struct link_map *map = _r_debug.r_map, *program = map;

	if (!map)
		return NULL;
	while (map->l_next)
		map = map->l_next;
	/* The program, the dynamic linker, and the object of this code. */
	if (map == program || map->l_addr == _r_debug.r_ldbase || map->l_ld == _DYNAMIC)
		return map;
	return NULL;
}

static int look_at(struct dl_phdr_info *info, size_t size, void *arg)
{
	static const char *const names[] = { "libstdc++.so", "libc++abi.so", "libcxxrt.so" };
	struct search *search = arg;
	struct cxx *cxx = &search->loop->cxx;

	if (!search->changed) {
		const struct link_map *last = last_for_good();

		cxx->watch = last ? (const void *const *)&last->l_next : &nothing;
		if (size >= sizeof(*info) && info->dlpi_adds == cxx->loaded)
			return 1;
		cxx->loaded = info->dlpi_adds;
		search->changed = true;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strstr(info->dlpi_name, names[i]) &&
		    strlen(info->dlpi_name) < sizeof(search->library)) {
			memcpy(search->library, info->dlpi_name, strlen(info->dlpi_name) + 1);
			return 1;
		}
	}
	return 0;
}

/* Pins the runtime: the loop keeps a pointer to its per-thread globals. */
static struct runtime cxx_find(struct coil_loop *loop)
{
	struct runtime runtime = { __cxa_get_globals, std_set_terminate };
	struct search search = { .loop = loop };
	void *library;

	if (runtime.get_globals)
		return runtime;
	dl_iterate_phdr(look_at, &search);
	if (!search.library[0])
		return runtime;
	library = dlopen(search.library, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
	if (!library)
		return runtime;
	*(void **)&runtime.get_globals = dlsym(library, "__cxa_get_globals");
	*(void **)&runtime.set_terminate = dlsym(library, "_ZSt13set_terminatePFvvE");
	return runtime;
}

void coil__cxx_look(struct coil_loop *loop)
{
	struct cxx *cxx = &loop->cxx;
	struct runtime runtime = cxx_find(loop);

	cxx->looked = loop->clock.pass_start;
	if (!runtime.get_globals)
		return;
	cxx->globals = runtime.get_globals();
	cxx->watch = (const void *const *)&cxx->globals;
	name_tasks(&runtime);
}

void coil__cxx_look_again(struct coil_loop *loop)
{
	struct cxx *cxx = &loop->cxx;

	if (cxx->watch == &nothing && loop->clock.pass_start - cxx->looked >= LOOK_EVERY)
		coil__cxx_look(loop);
}
