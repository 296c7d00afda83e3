#error "a policy has no clock of its own: the time of the question is q->session.time_ns"
