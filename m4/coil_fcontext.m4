# SPDX-License-Identifier: MIT

# COIL_FCONTEXT(PATH | check | yes | no)
# Find libboost_context.a, of which only the three assembly objects are taken:
# they are named after the processor, as in jump_x86_64_sysv_elf_gas.o and
# jump_arm64_aapcs_elf_gas.o, and need nothing of the C++ beside them.
AC_DEFUN([COIL_FCONTEXT],
[AC_MSG_CHECKING([for libboost_context.a])
AS_CASE([$1],
  [no],
  [AC_MSG_ERROR([coil cannot be built without fcontext])],
  [check|yes],
  [FCONTEXT_ARCHIVE=`$CC -print-file-name=libboost_context.a`],
  [AS_CASE([$1],
     [/*], [FCONTEXT_ARCHIVE=$1],
     [FCONTEXT_ARCHIVE=`pwd`/$1])])
# A compiler that has none gives the bare name back.
AS_IF([test "$FCONTEXT_ARCHIVE" = libboost_context.a || test ! -f "$FCONTEXT_ARCHIVE"],
  [AC_MSG_RESULT([no])
   AC_MSG_ERROR([$FCONTEXT_ARCHIVE is missing: install the Debian package libboost-context-dev or give --with-fcontext=PATH])])
AC_MSG_RESULT([$FCONTEXT_ARCHIVE])

AC_MSG_CHECKING([for its assembly objects])
FCONTEXT_MEMBERS=
for coil_verb in make jump ontop; do
  coil_member=`$AR t "$FCONTEXT_ARCHIVE" | grep "^${coil_verb}_.*\.o$"`
  AS_CASE(["$coil_member"],
    [''|*' '*|*'
'*], [AC_MSG_RESULT([no])
      AC_MSG_ERROR([$FCONTEXT_ARCHIVE has not one ${coil_verb}_*.o])])
  AS_VAR_APPEND([FCONTEXT_MEMBERS], [" $coil_member"])
done
AC_MSG_RESULT([$FCONTEXT_MEMBERS])
AC_SUBST([FCONTEXT_ARCHIVE])
AC_SUBST([FCONTEXT_MEMBERS])])
