package dtp

import "golang.org/x/sys/unix"

// hangUp is poll(2)'s event for an end of the other side's half.
const hangUp = unix.POLLRDHUP
