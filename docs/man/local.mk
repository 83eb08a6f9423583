# SPDX-License-Identifier: MIT
# The manual, one page a header: a new page is a line here, sorted.

dist_man_MANS =
