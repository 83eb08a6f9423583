/* SPDX-License-Identifier: MIT */
#ifndef COIL_CDEFS_H
#define COIL_CDEFS_H

/*
 * Compiler attributes and helper macros of the other headers.  Programs do not
 * use them.
 */

/*
 * Marks a function whose result the caller needs: an fd, a count that may be
 * short, a lock that may not be held.  Clean-up functions, such as a flush, are
 * not marked: after an error their callers have nothing left to do.
 */
#define COIL_MUST_CHECK __attribute__((warn_unused_result))
#define COIL_PRINTF(at, first) __attribute__((__format__(__printf__, at, first)))
#define COIL_CLEANUP(function) __attribute__((cleanup(function)))

/* An initialiser that zeroes a struct without a warning in C and in C++. */
#ifdef __cplusplus
#define COIL_ZERO {}
#else
#define COIL_ZERO {0}
#endif

/*
 * A name that no other block macro in the same scope uses.  Each use makes a
 * new name, so a macro that needs a name twice takes it as a parameter.
 */
#ifdef __COUNTER__
#define COIL_UNIQUE(name) COIL_UNIQUE_(name, __COUNTER__)
#else
#define COIL_UNIQUE(name) COIL_UNIQUE_(name, __LINE__)
#endif
#define COIL_UNIQUE_(name, number) COIL_UNIQUE__(name, number)
#define COIL_UNIQUE__(name, number) coil_##name##_##number

#endif
