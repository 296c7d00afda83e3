package pi

import (
	"io"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// counted is a file that counts what is asked of it.
type counted struct {
	vfs.File
	from        *strings.Reader
	seeks, read int
}

func (c *counted) Seek(at int64, whence int) (int64, error) {
	c.seeks++
	return c.from.Seek(at, whence)
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.read += n
	return n, err
}

// Of several parts of a file each byte is read once, and each part looked for once, however
// many there are and however little is taken at a time.
func TestJoined(t *testing.T) {
	text := strings.Repeat("0123456789", 1000)
	for _, many := range []int{1, 8, 1000} {
		f := &counted{from: strings.NewReader(text)}
		var parts []Part
		want := ""
		for i := range many {
			p := Part{Before: "<", From: int64((i * 7919) % 9990), Size: 10}
			parts = append(parts, p)
			want += "<" + text[p.From:p.From+10]
		}
		parts = append(parts, Part{Before: ">"})
		got, err := io.ReadAll(io.LimitReader(&joined{file: f, parts: parts}, 1<<20))
		if err != nil || string(got) != want+">" || f.seeks != many || f.read != 10*many {
			t.Errorf("%d parts: %d bytes, %v, %d seeks, %d bytes read", many, len(got), err, f.seeks, f.read)
		}
	}
}
