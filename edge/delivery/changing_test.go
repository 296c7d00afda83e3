package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// midway is a dtp.Limiter that does something when so many bytes of a transfer have moved,
// and before any other does.
type midway struct {
	at, moved int
	do        func()
}

func (m *midway) Slice() int { return 4096 }

func (m *midway) Wait(ctx context.Context, n int) error {
	if m.moved += n; m.do != nil && m.moved >= m.at {
		m.do()
		m.do = nil
	}
	return context.Cause(ctx)
}

// changing serves a file of 60,000 bytes that is changed when so many of them have moved.
func changing(t *testing.T, protocol string, at int, change func(name string) error) *rig {
	t.Helper()
	name := ""
	r := start(t, protocol, public(), func(c *edge.Config) {
		c.Transfer.Limiter = func(policy.Session, bool) dtp.Limiter {
			return &midway{at: at, do: func() {
				if err := change(name); err != nil {
					t.Error(err)
				}
			}}
		}
	})
	name = filepath.Join(r.root, "d", "changing")
	r.must(os.WriteFile(name, make([]byte, 60_000), 0o644))
	return r
}

// length asks for the file and returns how many bytes of it have come, and what was wrong.
func (r *rig) length(header ...string) (resp *http.Response, n int64, err error) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), "GET", r.URL+"/d/changing", nil)
	r.must(err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err = r.client.Do(req)
	if err != nil {
		return nil, 0, err // it was broken off at once
	}
	defer resp.Body.Close()
	n, err = io.Copy(io.Discard, resp.Body)
	return resp, n, err
}

// sent waits for the event of the file's transfer.
func (r *rig) sent() policy.Event {
	r.t.Helper()
	return r.keeper.told(r.t, "the transfer", func(e policy.Event) bool {
		return e.Path == "/d/changing" && (e.Kind == policy.EventFileSent || e.Kind == policy.EventIncompleteFileSent)
	})
}

// A file that gets shorter while it is sent, or before the first byte is, or of which a part
// is sent, is not taken for a whole one: neither by the client, nor by those who are told.
func TestShrinks(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		for _, at := range []int{0, 20_000} {
			for _, parts := range []string{"bytes=0-", "bytes=1000-", "bytes=0-29999,30001-59999"} {
				t.Run(fmt.Sprint(at, parts), func(t *testing.T) {
					r := changing(t, protocol, at, func(name string) error { return os.Truncate(name, int64(2*at)) })
					if _, n, err := r.length("Range", parts); err == nil {
						t.Errorf("%d bytes, and no error", n)
					}
					e := r.sent()
					if e.Kind != policy.EventIncompleteFileSent || e.Code != 451 || e.Size > int64(2*at)+400 || !strings.Contains(e.Text, "shorter") {
						t.Errorf("%v, %d, %d bytes, %q", e.Kind, e.Code, e.Size, e.Text)
					}
				})
			}
		}
	})
}

// Of a file that grows while it is sent no byte more leaves than was said, and what comes
// after it is as good.
func TestGrows(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		r := changing(t, protocol, 20_000, func(name string) error {
			f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.Write(make([]byte, 50_000))
			return errors.Join(err, f.Close())
		})
		if resp, n, err := r.length(); n != 60_000 || err != nil || resp.ContentLength != n {
			t.Errorf("%d bytes, %v", n, err)
		}
		if e := r.sent(); e.Kind != policy.EventFileSent || e.Size != 60_000 {
			t.Errorf("%v, %d bytes", e.Kind, e.Size)
		}
		if resp, body := r.get("/a.txt"); resp.StatusCode != 200 || body != "0123456789" {
			t.Errorf("afterwards: %s %q", resp.Status, body)
		}
	})
}
