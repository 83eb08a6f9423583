# SPDX-License-Identifier: MIT

# COIL_CC_FLAGS(VARIABLE, FLAGS)
# Put those of FLAGS that the compiler takes into VARIABLE.
AC_DEFUN([COIL_CC_FLAGS],
[AC_LANG_ASSERT([C])
$1=
for coil_flag in m4_normalize([$2]); do
  coil_saved=$CFLAGS
  CFLAGS="$CFLAGS -Werror $coil_flag"
  AC_MSG_CHECKING([whether $CC takes $coil_flag])
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM()],
    [AC_MSG_RESULT([yes])
     AS_VAR_APPEND([$1], [" $coil_flag"])],
    [AC_MSG_RESULT([no])])
  CFLAGS=$coil_saved
done
AC_SUBST([$1])])

# COIL_LD_FLAGS(VARIABLE, FLAGS)
# The same for flags of the linker.
AC_DEFUN([COIL_LD_FLAGS],
[AC_LANG_ASSERT([C])
$1=
for coil_flag in m4_normalize([$2]); do
  coil_saved=$LDFLAGS
  LDFLAGS="$LDFLAGS -Werror $coil_flag"
  AC_MSG_CHECKING([whether the linker takes $coil_flag])
  AC_LINK_IFELSE([AC_LANG_PROGRAM()],
    [AC_MSG_RESULT([yes])
     AS_VAR_APPEND([$1], [" $coil_flag"])],
    [AC_MSG_RESULT([no])])
  LDFLAGS=$coil_saved
done
AC_SUBST([$1])])

# COIL_REQUIRE_FLAGS(FLAGS, MESSAGE)
# Stop with MESSAGE where a program cannot be built with FLAGS.
AC_DEFUN([COIL_REQUIRE_FLAGS],
[coil_saved=$CFLAGS
CFLAGS="$CFLAGS $1"
AC_MSG_CHECKING([whether $CC links with $1])
AC_LINK_IFELSE([AC_LANG_PROGRAM()],
  [AC_MSG_RESULT([yes])],
  [AC_MSG_RESULT([no])
   AC_MSG_ERROR([$2])])
CFLAGS=$coil_saved])
