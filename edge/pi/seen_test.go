package pi

import (
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// What is published of a session costs one at rest nothing: a Session is no larger than the
// size for which memory is given out anyway.
func TestSessionSize(t *testing.T) {
	if n := unsafe.Sizeof(Session{}); n > 64 {
		t.Errorf("a Session takes %d bytes", n)
	}
}

// A session at rest is seen as it was before, and as it was after it has risen, by others
// who look meanwhile.
func TestSeenAtRest(t *testing.T) {
	s := usual(&Config{Standings: alone{}, Name: "main"}, connected(t))
	s.who.Client, s.cwd = "client 1", "/dir"
	s.clock.line = time.Unix(1_700_000_000, 5)
	s.busy()
	s.publish()
	before := s.Seen()
	if !before.In || before.User != "dev" || before.Client != "client 1" || before.Parked || before.Line.Unix() != 1_700_000_000 || !before.Peer.IsValid() {
		t.Errorf("awake it is seen as %+v", before)
	}
	var look sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		look.Go(func() {
			for {
				if v := s.Seen(); v.User != "dev" || !v.In || v.Client != "client 1" || v.Peer != before.Peer {
					t.Errorf("it is seen as %+v", v)
				}
				select {
				case <-stop:
					return
				default:
					runtime.Gosched()
				}
			}
		})
	}
	for range 2000 {
		s.Rest()
		s.rise()
	}
	s.Rest()
	close(stop)
	look.Wait()
	if s.state != nil {
		t.Fatal("it does not rest")
	}
	after := s.Seen()
	if !after.Parked || after.Dir != "/dir" {
		t.Errorf("at rest it is seen as %+v", after)
	}
	after.Parked, before.Dir = false, "/dir"
	before.Since, after.Since = before.Since.Round(0), after.Since.Round(0)
	if !before.Since.Equal(after.Since) {
		t.Errorf("since %v, and at rest since %v", before.Since, after.Since)
	}
	before.Since, after.Since = time.Time{}, time.Time{}
	if !reflect.DeepEqual(before, after) {
		t.Errorf("awake %+v\nat rest %+v", before, after)
	}
}

// The owner and whoever dismisses a session write the same word: neither loses what the
// other has written.
func TestWord(t *testing.T) {
	s := &Session{}
	var both sync.WaitGroup
	both.Go(func() {
		for i := range uint64(10000) {
			s.note(wordLine, i)
			s.note(wordMoving, i%2*wordMoving)
		}
	})
	both.Go(func() { s.note(0, wordLeave) })
	both.Wait()
	if w := s.word.Load(); w != 9999|wordMoving|wordLeave {
		t.Errorf("the word is %x", w)
	}
}

// Of a login that has failed nothing is seen, nor of one that has ended.
func TestSeenBeforeAndAfterTheLogin(t *testing.T) {
	s := usual(&Config{Standings: alone{}}, connected(t))
	s.rank = identity{}
	s.who.User = "guess" // as while the password is verified
	s.job = &running{Job: &Job{}, row: &Spec{Verb: "PASS"}, cancel: func(error) {}}
	s.expose()
	if v := s.Seen(); v.In || v.User != "guess" || v.Task == nil || v.Task.Command != "PASS" || v.Task.Limit(struct{ Down, Up int64 }{1, 1}) {
		t.Errorf("in login it is seen as %+v", v)
	}
	s.cover()
	if v := s.Seen(); v.In || v.User != "" || v.Task != nil {
		t.Errorf("after a login that has failed it is seen as %+v", v)
	}
	s.rank.in, s.who.User, s.who.TLS = true, "dev", policy.TLS{Version: "1.3"}
	s.publish()
	if v := s.Seen(); !v.In || v.User != "dev" || v.TLS.Version != "1.3" {
		t.Errorf("logged in it is seen as %+v", v)
	}
}
