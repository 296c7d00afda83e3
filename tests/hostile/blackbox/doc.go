// Package blackbox holds attacks over the wire that any FTP server can be tried with:
// each case is one line of the threat list, judged by one rule for all servers. What
// is known of a server is its address, two users, and the directory of the host that
// they see.
//
// TestEdgeFTP tries the program of this tree, which has to withstand every case. With
// EDGEFTP_PEERS=1 TestPeers tries Debian's vsftpd, ProFTPD, Pure-FTPd and pyftpdlib
// beside it and writes a table of scores.
//
// A case comes from addresses of its own, 127.N.0.0/16, so that no server takes the
// attackers of one for those of another.
package blackbox
