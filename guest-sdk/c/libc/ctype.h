#error "a policy has no C library: compare letters with edgeftp_equal_fold"
