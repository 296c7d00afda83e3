#error "a policy has no files: what must stay goes into kv, see edgeftp_kv_set"
