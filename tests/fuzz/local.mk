# SPDX-License-Identifier: MIT
# Fuzz targets.  make check runs each with a small driver over its kept corpus and
# some changes of that; HACKING.md says how to run one under libFuzzer.  A target is
# fuzz_NAME.c, corpus/NAME, and three lines here.

fuzzers = %D%/fuzz_address %D%/fuzz_stream

tests_fuzz_fuzz_address_SOURCES = %D%/fuzz_address.c %D%/driver.c
tests_fuzz_fuzz_address_LDADD = libcoil-all.la $(URING_LIBS)
tests_fuzz_fuzz_stream_SOURCES = %D%/fuzz_stream.c %D%/driver.c

# The parser of an example, which needs llhttp.
if HAVE_LLHTTP
fuzzers += %D%/fuzz_http
tests_fuzz_fuzz_http_SOURCES = %D%/fuzz_http.c %D%/driver.c
tests_fuzz_fuzz_http_CPPFLAGS = $(AM_CPPFLAGS) $(LLHTTP_CFLAGS)
tests_fuzz_fuzz_http_LDADD = $(llhttp_objects) $(LLHTTP_LIBS)
endif

check_PROGRAMS += $(fuzzers)
TESTS += $(fuzzers)
EXTRA_DIST += %D%/corpus
