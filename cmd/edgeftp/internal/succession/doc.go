// Package succession is how a server gives its place to the next process, with nobody
// turned away and no transfer cut: an upgrade.
//
// The successor is started by whoever starts servers; the one that serves executes
// nothing. It comes to the predecessor over the admin socket, whose connection then
// carries frames in both directions, each one message of JSON, some with descriptors
// (SCM_RIGHTS, unix(7)):
//
//	successor    hello                        version and protocol
//	predecessor  offer + listening sockets    or refused, and everything is as before
//	successor    release                      it has prepared all it could
//	predecessor  released                     it accepts no more, and has given up its state
//	successor    serving                      it has the state
//	predecessor  leaving                      it has let the sockets go, and drains
//	predecessor  changes, successor done      what becomes of what policies remember, to the end
//
// Connections that come in between wait in the sockets, which both have. If the successor
// dies, fails or takes too long before it serves, the predecessor takes everything back
// and says aborted, which a successor that was only slow finds and ends by. If the
// predecessor dies the successor goes on, as the sockets are its own.
//
// Several may drain at once: what the oldest tells its successor reaches the one that
// serves, as each store has the next one as its heir.
package succession
