#error "a policy has no C library: use the types of stdint.h and stddef.h"
