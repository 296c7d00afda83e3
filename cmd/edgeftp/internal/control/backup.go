package control

import (
	"context"
	"io"
	"net/http"
	"time"
)

// Backuper writes down all that a server is.
type Backuper interface {
	// Backup writes an archive to w (POST /v1/backup). An error before the first byte is
	// answered; after that the archive has no end, which its reader sees.
	Backup(ctx context.Context, w io.Writer) error
}

// backupType is the media type of an archive.
const backupType = "application/x-tar"

// backupPatience is how long a caller may take for a piece of an archive.
const backupPatience = time.Minute

func backupRoute(mux *router, b Backuper) {
	mux.HandleFunc("POST /v1/backup", func(w http.ResponseWriter, r *http.Request) {
		patient(w)
		out := &stream{w: w, c: http.NewResponseController(w), kind: backupType, each: backupPatience}
		switch err := b.Backup(r.Context(), out); {
		case err == nil:
		case !out.begun:
			conclude(w, nil, err)
		default:
			panic(http.ErrAbortHandler) // so that the caller sees that it is not whole
		}
	})
}

// Backup has the server write an archive to w, and returns the number of bytes.
func (c Client) Backup(ctx context.Context, w io.Writer) (int64, error) {
	return c.stream(ctx, request{method: http.MethodPost, path: "/v1/backup"}, w)
}

// stream writes the body of an answer to w, and returns its length in bytes.
func (c Client) stream(ctx context.Context, r request, w io.Writer) (int64, error) {
	res, done, err := c.begin(ctx, r)
	if err != nil {
		return 0, err
	}
	defer done()
	if res.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		if err != nil {
			return 0, c.failed(ctx, err)
		}
		return 0, c.refused(res.Status, text)
	}
	n, err := io.Copy(w, res.Body)
	if err != nil {
		return n, c.failed(ctx, err)
	}
	return n, nil
}
