# SPDX-License-Identifier: MIT

# COIL_LLHTTP(DIR | check | yes | no)
# Find llhttp, which the example httpd parses with: the library, where pkg-config
# knows it (Debian 13 has libllhttp-dev); or a folder with llhttp.h and three C
# files, as llhttp releases it, or the two folders of Debian 12's node-llhttp.
# LLHTTP_LIBS is set for the library, LLHTTP_DIR for the sources.
AC_DEFUN([COIL_LLHTTP],
[have_llhttp=no
LLHTTP_DIR=
LLHTTP_LIBS=
AS_CASE([$1],
  [no], [coil_places=],
  [check|yes],
  [coil_places="/usr/share/llhttp:/usr/share/include/llhttp"
   PKG_CHECK_EXISTS([libllhttp],
     [have_llhttp="libllhttp `$PKG_CONFIG --modversion libllhttp`"
      LLHTTP_CFLAGS=`$PKG_CONFIG --cflags libllhttp`
      LLHTTP_LIBS=`$PKG_CONFIG --libs libllhttp`])],
  [coil_dir=`cd "$1" 2>/dev/null && pwd`
   coil_places="$coil_dir:$coil_dir $coil_dir/src:$coil_dir/include $coil_dir:$coil_dir/../include/llhttp"])
AC_MSG_CHECKING([for llhttp])
AS_IF([test "$have_llhttp" != no], [coil_places=])
for coil_place in $coil_places; do
  LLHTTP_DIR=`AS_ECHO(["$coil_place"]) | sed 's/:.*//'`
  coil_include=`AS_ECHO(["$coil_place"]) | sed 's/.*://'`
  AS_IF([test -f "$LLHTTP_DIR/api.c" && test -f "$LLHTTP_DIR/http.c" &&
         test -f "$LLHTTP_DIR/llhttp.c" && test -f "$coil_include/llhttp.h"],
    [have_llhttp=$LLHTTP_DIR
     LLHTTP_CFLAGS="-I$coil_include -DLLHTTP_STRICT_MODE=1"
     break])
  LLHTTP_DIR=
done
AC_MSG_RESULT([$have_llhttp])
AS_CASE([$1:$have_llhttp],
  [no:*|check:*], [],
  [*:no], [AC_MSG_ERROR([no llhttp: install the Debian package libllhttp-dev (node-llhttp on Debian 12) or give --with-llhttp=DIR])])
AC_SUBST([LLHTTP_DIR])
AC_SUBST([LLHTTP_CFLAGS])
AC_SUBST([LLHTTP_LIBS])
AM_CONDITIONAL([HAVE_LLHTTP], [test "$have_llhttp" != no])
AM_CONDITIONAL([HAVE_LLHTTP_SOURCES], [test -n "$LLHTTP_DIR"])])
