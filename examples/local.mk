# SPDX-License-Identifier: MIT
# Programs to start from, made by plain `make`: NAME is NAME.c here.

noinst_PROGRAMS += \
	%D%/chat \
	%D%/echo \
	%D%/event \
	%D%/gather \
	%D%/logmux \
	%D%/producer_consumer \
	%D%/proxy \
	%D%/queue \
	%D%/run \
	%D%/wait

# The listings of docs/tutorial.md.
noinst_PROGRAMS += \
	%D%/tutorial/event \
	%D%/tutorial/gather \
	%D%/tutorial/lines \
	%D%/tutorial/queue \
	%D%/tutorial/run \
	%D%/tutorial/shield \
	%D%/tutorial/shutdown \
	%D%/tutorial/timeout \
	%D%/tutorial/wait

# What the examples share.
noinst_HEADERS += \
	%D%/log.h \
	%D%/options.h

examples_producer_consumer_SOURCES = \
	%D%/producer_consumer.c \
	%D%/producer.c \
	%D%/consumer.c \
	%D%/producer_consumer.h

# The parser of httpd: a library, or its authors' sources without our warnings.
if HAVE_LLHTTP_SOURCES
llhttp_objects = %D%/llhttp_api.o %D%/llhttp_http.o %D%/llhttp_llhttp.o
else
llhttp_objects =
endif

if HAVE_LLHTTP
noinst_PROGRAMS += %D%/httpd
examples_httpd_SOURCES = \
	%D%/httpd.c \
	%D%/httpd_files.h \
	%D%/httpd_log.h \
	%D%/httpd_request.h
examples_httpd_CPPFLAGS = $(AM_CPPFLAGS) $(LLHTTP_CFLAGS)
examples_httpd_LDADD = $(llhttp_objects) libcoil.la $(LLHTTP_LIBS)
examples_httpd_DEPENDENCIES = $(llhttp_objects) libcoil.la
endif

if HAVE_LLHTTP_SOURCES
CLEANFILES += $(llhttp_objects)

compile_llhttp = $(MKDIR_P) %D% && $(CC) $(LLHTTP_CFLAGS) $(CFLAGS) \
	$(SANITIZER_CFLAGS) -w -c -o $@
%D%/llhttp_api.o: $(LLHTTP_DIR)/api.c
	$(AM_V_CC)$(compile_llhttp) $(LLHTTP_DIR)/api.c
%D%/llhttp_http.o: $(LLHTTP_DIR)/http.c
	$(AM_V_CC)$(compile_llhttp) $(LLHTTP_DIR)/http.c
%D%/llhttp_llhttp.o: $(LLHTTP_DIR)/llhttp.c
	$(AM_V_CC)$(compile_llhttp) $(LLHTTP_DIR)/llhttp.c
endif
