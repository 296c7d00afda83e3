package dtp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

var allBindings = []Binding{BindAuto, BindRequire, BindPrefer, BindOff}

// versions runs a test with each version of TLS, with records in larger pieces and one
// by one.
func versions(t *testing.T, test func(*testing.T, *site)) {
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, single := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, single=%v", tls.VersionName(v), single), func(t *testing.T) {
				s := newSite(t, v)
				s.single = single
				test(t, s)
			})
		}
	}
}

const secret = "what the file holds"

// served does a download that must go well, and reports whether it was resumed.
func served(t *testing.T, p *Protection, client *tls.Config) (resumed bool) {
	t.Helper()
	tr := &Transfer{Send: strings.NewReader(secret)}
	c, done := beginTLS(t, within(t), p, client, tr)
	got, err := io.ReadAll(c)
	if err != nil || string(got) != secret {
		t.Errorf("the client reads %q, %v", got, err)
	}
	well(t, await(t, done), tr, len(secret), len(secret))
	return c.ConnectionState().DidResume
}

// refused does a download that must fail for want of resumption.
func refused(t *testing.T, p *Protection, client *tls.Config) {
	t.Helper()
	tr := &Transfer{Send: strings.NewReader(secret)}
	c, done := beginTLS(t, within(t), p, client, tr)
	if got, _ := io.ReadAll(c); len(got) > 0 {
		t.Errorf("a stranger reads %q", got)
	}
	res := await(t, done)
	wantErr(t, res.Err, ErrNotBound)
	if res.Bytes != 0 || tr.Progress.Bytes() != 0 {
		t.Errorf("%d bytes moved, progress %d", res.Bytes, tr.Progress.Bytes())
	}
	if c.ConnectionState().DidResume {
		t.Error("the stranger resumed")
	}
}

// TestBindingByName has a client that names the protocols (RFC 7301) of its two
// kinds of connections.
func TestBindingByName(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		control := s.client()
		data := control.Clone()
		control.NextProtos, data.NextProtos = []string{"ftp"}, []string{"ftp-data"}
		p := s.control(t, control, BindRequire)
		if !served(t, p, data) {
			t.Error("not resumed")
		}
	})
}

// TestBindingOtherSession has a client with a session of its own on the same
// server.
func TestBindingOtherSession(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		for _, b := range []Binding{BindAuto, BindRequire} {
			t.Run(b.String(), func(t *testing.T) {
				anna, bert := s.client(), s.client()
				annas, berts := s.control(t, anna, b), s.control(t, bert, b)
				if !holdsTicket(bert) {
					t.Fatal("the other session has no ticket")
				}
				refused(t, annas, bert)
				refused(t, annas, bert) // with a ticket of the refusal
				refused(t, berts, bert) // which is good for nothing at home, either
				refused(t, berts, anna)
				anna, bert = s.client(), s.client()
				annas, berts = s.control(t, anna, b), s.control(t, bert, b)
				if !served(t, annas, anna) || !served(t, berts, bert) {
					t.Error("not resumed at home")
				}
			})
		}
	})
}

// TestBindingLaxTicket looks whether a ticket of a transfer that was served
// without resumption opens a strict one.
func TestBindingLaxTicket(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		for _, b := range []Binding{BindPrefer, BindOff} {
			t.Run(b.String(), func(t *testing.T) {
				stranger := s.client()
				p := s.control(t, s.client(), b)
				if served(t, p, stranger) {
					t.Error("the stranger resumed")
				}
				if !holdsTicket(stranger) {
					t.Log("the stranger was given no ticket")
				}
				if served(t, p, stranger) {
					t.Error("the stranger resumed the second time")
				}
				strict := *p
				strict.Binding = BindRequire
				refused(t, &strict, stranger)
			})
		}
	})
}

// TestBindingWithoutTickets has a client that cannot be asked to resume.
func TestBindingWithoutTickets(t *testing.T) {
	s := newSite(t, tls.VersionTLS12)
	for _, b := range allBindings {
		t.Run(b.String(), func(t *testing.T) {
			client := s.client()
			client.SessionTicketsDisabled = true
			p := s.control(t, client, b)
			if p.Tickets {
				t.Error("the client cannot take tickets, but is held to")
			}
			if b == BindRequire {
				refused(t, p, client)
			} else if served(t, p, client) {
				t.Error("resumed without a ticket")
			}
		})
	}
}

// TestProtectedUploadEnds ends an upload by close_notify or by a bare FIN.
func TestProtectedUploadEnds(t *testing.T) {
	for _, size := range []int{0, 1, 1<<20 + 3} {
		for _, cut := range []bool{false, true} {
			versions(t, func(t *testing.T, s *site) {
				t.Run(fmt.Sprintf("%d bytes, cut=%v", size, cut), func(t *testing.T) {
					client := s.client()
					f, sent := file(t, nil), pattern(size)
					tr := &Transfer{Receive: f}
					c, done := beginTLS(t, within(t), s.control(t, client, BindAuto), client, tr)
					if err := c.HandshakeContext(within(t)); err != nil {
						t.Fatal(err)
					}
					if _, err := c.Write(sent); err != nil {
						t.Fatal(err)
					}
					end := c.CloseWrite // close_notify
					if cut {
						end = c.NetConn().(*witness).CloseWrite // FIN
					}
					if err := end(); err != nil {
						t.Fatal(err)
					}
					// The server takes leave either way; some clients wait for it.
					if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
						t.Errorf("the client reads %d bytes, %v", n, err)
					}
					if c.NetConn().(*witness).ended {
						t.Error("the server closed without close_notify")
					}
					res := await(t, done)
					if cut {
						wantErr(t, res.Err, ErrTruncated)
					} else {
						well(t, res, tr, size, size)
					}
					if !bytes.Equal(held(t, f), sent) {
						t.Error("the file differs from what was sent")
					}
				})
			})
		}
	}
}

// TestProtectedDownloadEnds looks at the raw connection: its end comes after
// close_notify.
func TestProtectedDownloadEnds(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		for _, size := range []int{0, 1, 1<<20 + 3} {
			t.Run(fmt.Sprint(size), func(t *testing.T) {
				client, want := s.client(), pattern(size)
				tr := &Transfer{Send: file(t, want)}
				c, done := beginTLS(t, within(t), s.control(t, client, BindAuto), client, tr)
				got, err := io.ReadAll(c)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes arrived, %v", len(got), err)
				}
				raw := c.NetConn().(*witness)
				if raw.ended {
					t.Error("the connection ended without close_notify")
				}
				well(t, await(t, done), tr, size, size)
				if n, err := raw.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("after close_notify the client reads %d bytes, %v", n, err)
				}
			})
		}
	})
}

func TestProtectedMaxBytes(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		for over := range 2 {
			client := s.client()
			tr := &Transfer{Receive: file(t, nil), MaxBytes: 1000}
			c, done := beginTLS(t, within(t), s.control(t, client, BindAuto), client, tr)
			if _, err := c.Write(pattern(1000 + over)); err != nil {
				t.Fatal(err)
			}
			if err := c.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if res := await(t, done); over > 0 {
				wantErr(t, res.Err, ErrTooLarge)
			} else {
				well(t, res, tr, 1000, 1000)
			}
		}
	})
}

func TestProtectedAbortAndStall(t *testing.T) {
	cause := errors.New("ABOR")
	versions(t, func(t *testing.T, s *site) {
		for name, tr := range map[string]*Transfer{
			"abort":         {Send: file(t, make([]byte, 32<<20))},
			"stall":         {Send: file(t, make([]byte, 32<<20)), Stall: 50 * time.Millisecond},
			"abort receive": {Receive: file(t, nil)},
			"stall receive": {Receive: file(t, nil), Stall: 50 * time.Millisecond},
		} {
			t.Run(name, func(t *testing.T) {
				client, want := s.client(), ErrStalled
				p := s.control(t, client, BindAuto)
				ctx, cancel := context.WithCancelCause(within(t))
				defer cancel(nil)
				c, done := beginTLS(t, ctx, p, client, tr)
				if err := c.HandshakeContext(within(t)); err != nil {
					t.Fatal(err)
				}
				if tr.Stall == 0 {
					want = cause
					cancel(cause)
				}
				wantErr(t, await(t, done).Err, want)
			})
		}
	})
}

func TestAbortInHandshake(t *testing.T) {
	s := newSite(t, tls.VersionTLS13)
	cause := errors.New("ABOR")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	tr := &Transfer{Send: strings.NewReader(secret), Protect: s.control(t, s.client(), BindOff)}
	_, done := begin(t, ctx, tr) // and no word of the client
	cancel(cause)
	wantErr(t, await(t, done).Err, cause)
}
