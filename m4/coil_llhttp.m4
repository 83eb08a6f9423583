# SPDX-License-Identifier: MIT

# COIL_LLHTTP(DIR | check | yes | no)
# Find llhttp, which the example httpd parses with: a folder with llhttp.h and
# three C files, as llhttp releases it, or the two folders of Debian's node-llhttp.
AC_DEFUN([COIL_LLHTTP],
[AC_MSG_CHECKING([for llhttp])
have_llhttp=no
AS_CASE([$1],
  [no], [coil_places=],
  [check|yes], [coil_places="/usr/share/llhttp:/usr/share/include/llhttp"],
  [coil_dir=`cd "$1" 2>/dev/null && pwd`
   coil_places="$coil_dir:$coil_dir $coil_dir/src:$coil_dir/include $coil_dir:$coil_dir/../include/llhttp"])
for coil_place in $coil_places; do
  LLHTTP_DIR=`AS_ECHO(["$coil_place"]) | sed 's/:.*//'`
  coil_include=`AS_ECHO(["$coil_place"]) | sed 's/.*://'`
  AS_IF([test -f "$LLHTTP_DIR/api.c" && test -f "$LLHTTP_DIR/http.c" &&
         test -f "$LLHTTP_DIR/llhttp.c" && test -f "$coil_include/llhttp.h"],
    [have_llhttp=$LLHTTP_DIR
     LLHTTP_CFLAGS="-I$coil_include -DLLHTTP_STRICT_MODE=1"
     break])
done
AC_MSG_RESULT([$have_llhttp])
AS_CASE([$1:$have_llhttp],
  [no:*|check:*], [],
  [*:no], [AC_MSG_ERROR([no llhttp.h, api.c, http.c and llhttp.c: install the Debian package node-llhttp or give --with-llhttp=DIR])])
AC_SUBST([LLHTTP_DIR])
AC_SUBST([LLHTTP_CFLAGS])
AM_CONDITIONAL([HAVE_LLHTTP], [test "$have_llhttp" != no])])
