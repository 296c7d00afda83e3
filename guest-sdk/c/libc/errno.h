#error "a policy has no errno: the functions of edgeftp.h return an edgeftp_error"
