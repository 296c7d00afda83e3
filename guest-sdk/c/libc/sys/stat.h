#error "a policy has no files: ask for the facts of a virtual path with edgeftp_stat"
