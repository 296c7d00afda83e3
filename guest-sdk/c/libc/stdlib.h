#error "a policy has no C library and no malloc: use arrays of a fixed size; end it with EDGEFTP_PANIC"
