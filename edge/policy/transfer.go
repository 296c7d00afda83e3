package policy

import (
	"context"
	"net/netip"
	"time"
)

// Throttler says how fast a transfer may go (stage "throttle").
type Throttler interface {
	// Throttle is asked when a transfer begins and again whenever the time to live
	// of the last answer is over, never for single chunks. An error leaves the
	// last answer in force.
	Throttle(ctx context.Context, transfer *Transfer) (Rate, error)
}

// Transfer is the question of the throttle stage: how fast may this go?
type Transfer struct {
	Meta
	Op     Op            // OpRead, OpWrite, OpAppend, OpUnique or OpList
	Path   string        // canonical virtual path
	Upload bool          // from the client to the server
	Size   int64         // bytes that are to be moved, -1 unknown
	Moved  int64         // bytes that were moved so far
	Took   time.Duration // since the transfer began
	// DataPeer is the other end of the data connection: see Action.DataPeer. Once the
	// connection is there, it is that of the connection.
	DataPeer netip.AddrPort
}

// Rate is one policy's answer to a [Transfer]. Of several the lowest holds, below
// every other limit. The zero value limits nothing and holds for the transfer.
type Rate struct {
	Limit int64         // bytes per second on the wire, 0 no limit
	TTL   time.Duration // ask again then; 0 never, less than 100 ms is 100 ms
}

// Filter looks at the bytes of transfers and may stop or replace them (stage
// "data"). Taking part in it costs a transfer the kernel's own ways of copying.
type Filter interface {
	// Filter answers for one chunk. An error ends the transfer with 451 and
	// discards an upload; its text is for the log and is never shown to the client.
	Filter(ctx context.Context, chunk *Chunk) (Piece, error)
}

// MaxChunk is the greatest length of Chunk.Data in bytes.
const MaxChunk = 64 << 10

// MaxCarry is the greatest length of Piece.Carry in bytes.
const MaxCarry = 1024

// Chunk is the question of the data stage: may these bytes pass, and as what? The
// bytes are those of the file, before or after the representation type has
// changed them for the wire.
type Chunk struct {
	Meta
	Op     Op     // OpRead, OpWrite, OpAppend or OpUnique
	Path   string // canonical virtual path
	Upload bool   // from the client to the server
	Offset int64  // of Data in the file, counted before any filter
	Data   []byte // 0 to MaxChunk bytes, valid until the call returns, not to be changed
	Last   bool   // nothing follows; Data may then be empty
	// Carry is what this policy's answer to the transfer's last chunk left: the
	// one thing that it can rely on to be kept from chunk to chunk. It is nil in
	// the first one.
	Carry []byte
	// DataPeer is the other end of the data connection that the bytes come by or go by; the
	// zero value of one that has no addresses.
	DataPeer netip.AddrPort
}

// Piece is one policy's answer to a [Chunk]. The zero value lets it pass as it is.
type Piece struct {
	// Verdict is Pass or Allow to let the bytes pass, Rewrite to let Data pass
	// instead, Deny or Hide to end the transfer and discard an upload.
	Verdict Verdict
	Code    int    // reply code of a refusal, 0 for 550
	Text    string // one line for the client of a refusal
	Data    []byte // beside Rewrite: any number of bytes that the policy can return, valid until its next call
	Carry   []byte // at most MaxCarry bytes for the next chunk; valid until the next call
}
