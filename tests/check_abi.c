/* SPDX-License-Identifier: MIT */
/*
 * What programs are compiled against.  A change here is a change of the library's
 * version: see -version-info in Makefile.am.
 */
#include "tests/support.h"
#include <coil.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PINNED(PIN)				\
	PIN(coil_barrier, 48, 8)		\
	PIN(coil_case, 72, 8)			\
	PIN(coil_channel, 8, 8)			\
	PIN(coil_condition, 32, 8)		\
	PIN(coil_event, 48, 8)			\
	PIN(coil_future, 32, 8)			\
	PIN(coil_group, 112, 8)			\
	PIN(coil_listen_options, 48, 8)		\
	PIN(coil_lock, 32, 8)			\
	PIN(coil_options, 64, 8)		\
	PIN(coil_process, 48, 8)		\
	PIN(coil_process_fd, 8, 4)		\
	PIN(coil_process_options, 120, 8)	\
	PIN(coil_process_rlimit, 24, 8)		\
	PIN(coil_queue, 208, 8)			\
	PIN(coil_rwlock, 40, 8)			\
	PIN(coil_scope, 56, 8)			\
	PIN(coil_semaphore, 48, 8)		\
	PIN(coil_server_options, 144, 8)	\
	PIN(coil_task_options, 56, 8)		\
	PIN(coil_timeout, 56, 8)		\
	PIN(coil_var, 8, 8)			\
	PIN(coil_waitq, 24, 8)			\
	PIN(coil_workers_options, 104, 8)

#define PIN_SIZE(name, size, alignment)                      \
	_Static_assert(sizeof(struct name) == (size),        \
		       "size of struct " #name);             \
	_Static_assert(_Alignof(struct name) == (alignment), \
		       "alignment of struct " #name);

#ifdef __LP64__
PINNED(PIN_SIZE)
#endif

_Static_assert(COIL_SECOND == 1000 * COIL_MILLISECOND, "a second");
_Static_assert(COIL_MILLISECOND == 1000 * COIL_MICROSECOND, "a millisecond");
_Static_assert(COIL_FOREVER == INT64_MAX, "for ever");
_Static_assert(COIL_ALL_COMPLETED == 0 && COIL_FIRST_COMPLETED == 1 &&
	       COIL_FIRST_EXCEPTION == 2, "enum coil_wait");

#define PIN_NAME(name, size, alignment) #name,

static bool is_pinned(const char *name)
{
	static const char *const names[] = { PINNED(PIN_NAME) };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(names[i], name))
			return true;
	}
	return false;
}

static int check_header(const char *folder, const char *header)
{
	char path[1024], line[512], name[128], brace;
	FILE *file;
	int found = 0;

	snprintf(path, sizeof(path), "%s/%s", folder, header);
	file = fopen(path, "re");
	ck_assert_msg(file != NULL, "%s", path);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "struct %127s %c", name, &brace) != 2 ||
		    brace != '{')
			continue;
		ck_assert_msg(is_pinned(name),
			      "%s: the size of struct %s is not pinned", header,
			      name);
		found++;
	}
	fclose(file);
	return found;
}

START_TEST(the_size_of_every_public_struct_is_pinned)
{
	const char *top = getenv("top_srcdir");
	char folder[400];
	struct dirent *entry;
	int found = 0;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s/include/coil", top ? top : ".");
	dir = opendir(folder);
	ck_assert_msg(dir != NULL, "%s: set top_srcdir", folder);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			found += check_header(folder, entry->d_name);
	}
	closedir(dir);
	ck_assert_int_ge(found, 10);
}
END_TEST

/* A program may have its objects in zeroed memory of any kind. */
START_TEST(a_zeroed_object_is_ready)
{
	static struct coil_future future;
	struct coil_waitq *waitq = calloc(1, sizeof(*waitq));
	struct { int before; struct coil_group group; int after; } own = { 0 };

	ck_assert_int_eq(coil_future_result(&future), -EINPROGRESS);
	ck_assert_uint_eq(coil_waitq_unpark_all(waitq), 0);
	coil_group_cancel(&own.group);
	ck_assert_int_eq(own.before + own.after, 0);
	free(waitq);
}
END_TEST

Suite *suite(void)
{
	Suite *whole = suite_create("abi");
	TCase *tests = tcase_create("abi");

	tcase_add_test(tests, the_size_of_every_public_struct_is_pinned);
	tcase_add_test(tests, a_zeroed_object_is_ready);
	suite_add_tcase(whole, tests);
	return whole;
}
