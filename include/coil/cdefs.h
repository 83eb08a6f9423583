/* SPDX-License-Identifier: MIT */
#ifndef COIL_CDEFS_H
#define COIL_CDEFS_H

/*
 * What the other headers say to the compiler.  Nothing here is for users.
 */

/*
 * Marks a function whose result the caller needs: an fd, a count that may be short, a
 * lock that may not be held.  Functions for clean-up, such as a flush, are not marked:
 * their callers have nothing left to do about an error.
 */
#define COIL_MUST_CHECK __attribute__((warn_unused_result))
#define COIL_PRINTF(at, first) __attribute__((__format__(__printf__, at, first)))
#define COIL_CLEANUP(function) __attribute__((cleanup(function)))

/* What zeroes a struct without a warning from either language's compiler. */
#ifdef __cplusplus
#define COIL_ZERO {}
#else
#define COIL_ZERO {0}
#endif

/* A name that no other block macro in the same scope uses. */
#define COIL_UNIQUE(name) COIL_UNIQUE_(name, __LINE__)
#define COIL_UNIQUE_(name, line) COIL_UNIQUE__(name, line)
#define COIL_UNIQUE__(name, line) coil_##name##_##line

#endif
