#error "a policy has no sockets: ask another server with edgeftp_fetch"
