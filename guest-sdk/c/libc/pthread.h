#error "a policy has no threads: the server runs several instances of it instead"
