/* SPDX-License-Identifier: MIT */
#ifndef COIL_TESTS_PATHS_H
#define COIL_TESTS_PATHS_H

/* The address of a Unix socket in a folder of the test's own. */

#include "tests/support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[32], address[64];
static const char *path = address + 5;

static inline void begin_unix(void)
{
	memcpy(folder, "/tmp/coil-XXXXXX", sizeof("/tmp/coil-XXXXXX"));
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(address, sizeof(address), "unix:%s/socket", folder);
}

static inline void end_unix(void)
{
	unlink(path);
	ck_assert_int_eq(rmdir(folder), 0);
}

#endif
