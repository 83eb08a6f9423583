# SPDX-License-Identifier: MIT
# The manual, one page a header: a new page is a line here, sorted.

dist_man_MANS = \
	%D%/coil.7 \
	%D%/coil_address.3 \
	%D%/coil_barrier.3 \
	%D%/coil_channel.3 \
	%D%/coil_condition.3 \
	%D%/coil_datagram.3 \
	%D%/coil_event.3 \
	%D%/coil_file.3 \
	%D%/coil_future.3 \
	%D%/coil_group.3 \
	%D%/coil_lock.3 \
	%D%/coil_process.3 \
	%D%/coil_queue.3 \
	%D%/coil_run.3 \
	%D%/coil_rwlock.3 \
	%D%/coil_select.3 \
	%D%/coil_semaphore.3 \
	%D%/coil_server.3 \
	%D%/coil_signal.3 \
	%D%/coil_socket.3 \
	%D%/coil_stream.3 \
	%D%/coil_task.3 \
	%D%/coil_thread.3 \
	%D%/coil_time.3 \
	%D%/coil_timeout.3 \
	%D%/coil_unix.3 \
	%D%/coil_waitq.3

# Lints the pages and compiles their examples.
TESTS += %D%/check
EXTRA_DIST += %D%/check

# `man coil_gather` is `man coil_task`: a page of one line for each further name
# that stands in a page's NAME.
man_links = awk '/^\.Sh SYNOPSIS/ { nextfile } \
	/^\.Nm / { page = FILENAME; sub(/.*\//, "", page); \
		if ($$2 ".3" != page) print $$2 ".3", page }' \
	$(srcdir)/%D%/*.3

install-data-hook:
	@$(man_links) | while read -r link page; do \
		echo ".so man3/$$page" >'$(DESTDIR)$(man3dir)'/"$$link" || \
		exit 1; \
	done

uninstall-hook:
	@$(man_links) | while read -r link page; do \
		rm -f '$(DESTDIR)$(man3dir)'/"$$link"; \
	done
