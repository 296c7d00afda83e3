#error "a policy has no files and no terminal: log with edgeftp_log, build texts with edgeftp_text_add"
