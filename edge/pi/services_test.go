package pi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// oneHash is a verifier that knows the hash of every password, which is itself.
type oneHash struct {
	mu      sync.Mutex
	real    int
	nobodys int
}

func (v *oneHash) Verify(_ context.Context, hash, password string) (bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.real++
	if hash == "broken" {
		return false, errors.New("that is no hash")
	}
	return hash == password, nil
}

func (v *oneHash) VerifyNobody(context.Context, string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.nobodys++
	return nil
}

// A policy can have the login's password verified, which costs a refused login no
// more than one that no policy knows.
func TestServicesVerify(t *testing.T) {
	w := &warden{}
	w.login = func(ctx context.Context, q *policy.Login) (policy.Identity, error) {
		v := policy.ServicesOf(ctx)
		if _, err := v.Stat(ctx, "/"); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("before the login Stat says %v", err)
		}
		if _, err := v.Digest(ctx, "SHA-256"); err == nil {
			t.Error("before the login there is a digest")
		}
		if _, err := v.Verify(ctx, "broken"); err == nil {
			t.Error("a broken hash was verified")
		}
		if q.Session.User != "dev" {
			return policy.Identity{}, nil
		}
		ok, err := v.Verify(ctx, "secret")
		if err != nil || !ok {
			return policy.Identity{}, err
		}
		return policy.Identity{Verdict: policy.Allow}, nil
	}
	for _, c := range []struct {
		user, password         string
		code, verified, nobody int
	}{{"dev", "secret", 230, 2, 0}, {"dev", "wrong", 530, 2, 0}, {"eve", "secret", 530, 1, 1}} {
		v := &oneHash{}
		set := wardens(t, w)
		b := newBench(t, func(conf *Config) { set(conf); conf.Verifier = v }).own()
		b.expect("the greeting", 220)
		b.do("USER "+c.user, 331)
		b.do("PASS "+c.password, c.code)
		b.close()
		if v.real != c.verified || v.nobodys != c.nobody {
			t.Errorf("%s %s: %d verified, %d for nobody", c.user, c.password, v.real, v.nobodys)
		}
	}
}

func TestServicesStat(t *testing.T) {
	got := map[string]string{}
	w := &warden{commands: []policy.SiteCommand{{Verb: "LOOK"}}}
	look := func(ctx context.Context, path string) {
		e, err := policy.ServicesOf(ctx).Stat(ctx, path)
		if err != nil {
			got[path] = "none"
			return
		}
		got[path] = fmt.Sprintf("%s %v %d", e.Name, e.Mode.IsDir(), e.Size)
	}
	w.site = func(ctx context.Context, q *policy.SiteCall) (policy.SiteReply, error) {
		look(ctx, q.Arg)
		if _, err := policy.ServicesOf(ctx).Verify(ctx, "secret"); err == nil {
			t.Error("a SITE command has a password")
		}
		return policy.SiteReply{Verdict: policy.Allow}, nil
	}
	w.fs = func(ctx context.Context, q *policy.Action) (policy.Answer, error) {
		look(ctx, q.Path)
		return policy.Answer{}, nil
	}
	b := newBench(t, wardens(t, w)).own().login()
	defer b.close()
	b.must(b.fs.WriteFile("/d/f", []byte("123")))
	for _, line := range []string{"SITE LOOK /d", "SITE LOOK ../../d/f", "SITE LOOK /none"} {
		b.do(line, 200)
	}
	b.do("SIZE /d/f", 213)
	want := map[string]string{"/d": "d true 0", "../../d/f": "f false 3", "/none": "none", "/d/f": "f false 3"}
	for path, text := range want {
		if got[path] != text {
			t.Errorf("%s: %q, want %q", path, got[path], text)
		}
	}
}

// The question whether an upload may become visible comes with its digest and both
// sizes, and has the number of the upload's first question and of its event.
func TestCommitQuestion(t *testing.T) {
	var mu sync.Mutex
	var said []string
	var numbers []uint64
	w := &warden{}
	w.fs = func(ctx context.Context, q *policy.Action) (policy.Answer, error) {
		mu.Lock()
		defer mu.Unlock()
		numbers = append(numbers, q.Request)
		text := fmt.Sprintf("%v %s %v %d", q.Op, q.Path, q.Exists, q.Size)
		if q.Op == policy.OpCommit {
			sum, err := policy.ServicesOf(ctx).Digest(ctx, "sha-256")
			want := sha256.Sum256([]byte("new bytes"))
			text += fmt.Sprintf(" now %d, %v %v", q.A, err, bytes.Equal(sum, want[:]))
			if _, err := policy.ServicesOf(ctx).Digest(ctx, "ROT13"); !errors.Is(err, fs.ErrInvalid) { // ABI §7: INVALID
				text += " rot13"
			}
		}
		if q.Op == policy.OpDelete {
			sum, err := policy.ServicesOf(ctx).Digest(ctx, "CRC32")
			text += fmt.Sprintf(" A %d, %x %v", q.A, sum, err)
		}
		said = append(said, text)
		return policy.Answer{}, nil
	}
	b := newBench(t, wardens(t, w)).own().login()
	b.must(b.fs.WriteFile("/f", []byte("123")))
	b.send("STOR /f", "new bytes")
	mu.Lock()
	if got := fmt.Sprint(said); got != "[write /f true 3 commit /f true 3 now 9, <nil> true]" {
		t.Errorf("it was asked %s", got)
	}
	if numbers[0] != numbers[1] {
		t.Errorf("the questions have the numbers %v", numbers)
	}
	said = nil
	mu.Unlock()
	b.do("DELE /f", 250)
	b.close()
	if got := fmt.Sprint(said); got != "[delete /f true 9 A 9, b37bbf07 <nil>]" {
		t.Errorf("it was asked %s", got)
	}
	if e := w.event(policy.EventFileReceived); e.Request != numbers[0] || e.Size != 9 {
		t.Errorf("the event is %+v", e)
	}
	if e := w.event(policy.EventFileDeleted); e.Size != 9 {
		t.Errorf("the event is %+v", e)
	}
}

// What was never published has no size that could be given back.
func TestDeletedSizes(t *testing.T) {
	w := &warden{}
	b := newBench(t, wardens(t, w)).own().login()
	b.must(b.fs.WriteFile("/f", []byte("123")))
	b.must(b.fs.Symlink("f", "/link"))
	stage, err := b.fs.Stage("/part", vfs.StageOptions{Owner: "dev"})
	b.must(err)
	_, err = stage.Write([]byte("12345"))
	b.must(err)
	b.must(stage.Discard(true))
	b.do("DELE /link", 250)
	b.do("DELE /part", 250)
	b.close()
	for _, e := range w.events {
		if e.Kind == policy.EventFileDeleted && e.Size != 0 {
			t.Errorf("%s had %d bytes", e.Path, e.Size)
		}
	}
}

// The context of a session's questions is made once, and anew when it sees other
// files.
func TestServicesAreMadeOnce(t *testing.T) {
	var seen []context.Context
	w := &warden{}
	w.fs = func(ctx context.Context, _ *policy.Action) (policy.Answer, error) {
		seen = append(seen, ctx)
		return policy.Answer{}, nil
	}
	b := newBench(t, wardens(t, w)).own().login()
	defer b.close()
	b.do("CWD /", 250)
	b.do("CWD /", 250)
	b.do("REIN", 220)
	b.do("USER dev", 331)
	b.do("PASS secret", 230)
	b.do("CWD /", 250)
	if len(seen) != 3 || seen[0] != seen[1] || seen[1] == seen[2] {
		t.Errorf("the contexts are %v", seen)
	}
}
