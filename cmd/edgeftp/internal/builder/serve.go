package builder

import (
	"context"
	"io"
)

// Serve is the builder's side: it builds the policy in dir and writes the answer to
// out. When life ends, the server is gone, and so are this process and its compilers
// at once. It fails if the answer cannot be written.
func Serve(ctx context.Context, dir, cache string, life io.Reader, out io.Writer) error {
	go func() {
		_, _ = io.Copy(io.Discard, life)
		endGroup()
	}()
	lower()
	r, err := Build(ctx, dir, cache)
	return writeAnswer(out, r, err)
}
