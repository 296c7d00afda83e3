// Command link measures transfers over an emulated link, with delay and loss: FTPS with one
// congestion control and another beside FTP over QUIC by way of the bridge, over one connection
// and over several, all in one run.
//
//	go run ./tests/bench/link                          # as root, on Linux: some minutes
//	go run ./tests/bench/link -loss 0 -bulk 0          # the small files alone
//	go run ./tests/bench/link -connections 8           # of the bridge that fetches the large file in segments
//	go run ./tests/bench/link -rebind 3s -loss 0       # with a NAT that forgets its mapping
//	go run ./tests/bench/link -cost 512                # no link: the server's processor time for each GB, on loopback
//
// It makes two network namespaces that are joined by nothing but this program, starts the
// server in one, the bridge and the client in the other, and takes the namespaces away
// again. A machine without a congestion control of the list leaves its column empty.
package main
