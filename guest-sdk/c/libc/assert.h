/* assert.h for policies: an assertion that fails ends the instance, and the server's log
 * has the file, the line and the expression. */
#ifndef EDGEFTP_LIBC_ASSERT_H
#define EDGEFTP_LIBC_ASSERT_H

#include "edgeftp.h"

#define static_assert _Static_assert
#define assert(expression) ((expression) ? (void)0 : edgeftp_panic_at(__FILE__, __LINE__, "assertion failed: " #expression))

#endif
