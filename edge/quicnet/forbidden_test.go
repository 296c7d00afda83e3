package quicnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// censor lets no bytes pass that hold a word.
type censor struct {
	word    string
	verdict policy.Verdict
}

func (*censor) Name() string { return "censor" }

func (c *censor) Hooks() policy.Hooks { return policy.Hooks{Filter: c} }

func (c *censor) Filter(_ context.Context, chunk *policy.Chunk) (policy.Piece, error) {
	if bytes.Contains(chunk.Data, []byte(c.word)) {
		return policy.Piece{Verdict: c.verdict, Text: "Not that."}, nil
	}
	return policy.Piece{}, nil
}

// A policy that does not let the bytes pass is the end of their stream, with the code that
// says so.
func TestForbidden(t *testing.T) {
	for _, verdict := range []policy.Verdict{policy.Deny, policy.Hide} {
		h := serve(t, &censor{"secret", verdict})
		c := h.dial(t)
		u := h.login(t, c)
		must(t, u, "TYPE I", 200)
		if err := h.files.WriteFile("/out", []byte("a secret")); err != nil {
			t.Fatal(err)
		}
		token := c.Token()
		if err := errors.Join(u.Send("QDAT "+token), u.Send("RETR out")); err != nil {
			t.Fatal(err)
		}
		down, err := c.Receive(within(t), token)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(down); len(b) > 0 || codeIn(err) != CodeForbidden {
			t.Errorf("%v, download: %q, %v", verdict, b, err)
		}
		expect(t, u, "QDAT", 200)
		expect(t, u, "the mark", 150)
		expect(t, u, "the end", 550)

		token = c.Token()
		if err := errors.Join(u.Send("QDAT "+token), u.Send("STOR in")); err != nil {
			t.Fatal(err)
		}
		up, err := c.Send(within(t), token)
		if err != nil {
			t.Fatal(err)
		}
		for err == nil { // until the server asks to stop
			_, err = up.Write([]byte("a secret"))
		}
		if codeIn(err) != CodeForbidden {
			t.Errorf("%v, upload: %v", verdict, err)
		}
		expect(t, u, "QDAT", 200)
		expect(t, u, "the mark", 150)
		expect(t, u, "the end", 550)
		unpublished(t, c, u, "in")
	}
}

// codeIn is the code that the peer has ended a stream with.
func codeIn(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeOK
}
