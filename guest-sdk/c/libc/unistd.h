#error "a policy has no files and no processes: what the server offers is in edgeftp.h (kv, stat, digest, fetch)"
