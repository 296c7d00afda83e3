package bridge

import (
	"context"
	"errors"
	"io"
)

// segmentSize is how much of a file a session is asked for at once where several share a
// download, and how much of a segment is kept before the client takes it: 1 MiB.
const segmentSize = 1 << 20

// errLonger is a fault of the server, which sends more than it was asked for.
var errLonger = errors.New("the server has sent more than the bytes it was asked for")

// segment is a part of a file that one session fetches. Who fetches it owns it, but for the
// chunks, which are the client's.
type segment struct {
	at, end int64       // what is to come: from this byte of the file to before that one
	open    []byte      // the chunk that is being filled
	chunks  chan []byte // what has come, in order; closed when all of it has, and is of the same file
}

func newSegment(at, end int64) *segment {
	return &segment{at: at, end: end, chunks: make(chan []byte, segmentSize/chunk)}
}

// fill takes what a stream holds, up to the end of the segment. It may be called again with
// another stream that goes on where the last one has failed.
// Near the end of the segment it calls ahead, once or more often.
func (g *segment) fill(ctx context.Context, in io.Reader, buffer func() []byte, ahead func()) error {
	for g.at < g.end {
		if g.end-g.at <= segmentSize/2 {
			ahead()
		}
		if g.open == nil {
			g.open = buffer()[:0]
		}
		room := g.open[len(g.open):min(int64(chunk), int64(len(g.open))+g.end-g.at)]
		n, err := in.Read(room)
		g.open, g.at = g.open[:len(g.open)+n], g.at+int64(n)
		if len(g.open) == chunk || g.at == g.end {
			select {
			case g.chunks <- g.open:
				g.open = nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		switch {
		case errors.Is(err, io.EOF) && g.at < g.end:
			return errChanged // it was as long as MLST had said
		case err != nil && !errors.Is(err, io.EOF):
			return err
		}
	}
	return ends(in)
}

// ends waits for the end of a stream.
func ends(in io.Reader) error {
	n, err := in.Read(make([]byte, 1))
	switch {
	case n > 0:
		return errLonger
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return ends(in)
	}
	return err
}
