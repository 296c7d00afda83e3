#error "a policy has no sockets: the client's address is q->session.peer16"
