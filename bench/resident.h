/* SPDX-License-Identifier: MIT */
#ifndef COIL_BENCH_RESIDENT_H
#define COIL_BENCH_RESIDENT_H

/* The memory that this process uses. */

#include "bench/bench.h"
#include <string.h>

/* Returns a field of /proc/self/status, which is in kB, in bytes. */
static inline double bench_status(const char *field)
{
	FILE *file = fopen("/proc/self/status", "re");
	size_t length = strlen(field);
	char line[256];
	double kib = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, field, length) && line[length] == ':')
			kib = strtod(line + length + 1, NULL);
	}
	if (file)
		fclose(file);
	return kib * 1024;
}

/* Returns the bytes of resident pages and of the page tables that map them. */
static inline double bench_resident(void)
{
	return bench_status("VmRSS") + bench_status("VmPTE");
}

#endif
