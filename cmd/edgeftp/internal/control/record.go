package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Recorder writes down what policies are asked, beside [Policies].
type Recorder interface {
	// Record writes a recording of name to w until r.For is over, r.Max bytes are
	// written or ctx ends, all of which are good ends (GET
	// /v1/policies/{name}/record). A *Refusal comes before anything is written.
	Record(ctx context.Context, name string, r Recording, w io.Writer) error
}

// Recording says what is to be recorded.
type Recording struct {
	For    time.Duration // how long, at most an hour
	Max    int64         // bytes
	Hooks  []string      // of these alone; nil is all
	Ops    []string      // operations, kinds of events and commands; nil is all
	Under  []string      // in these directories alone; nil is all
	Keep   []string      // directories that keep their own names
	Sample int           // percent of the sessions, 0 for all
	Names  bool          // names are kept as they are
}

// MaxRecording is the longest time of a recording.
const MaxRecording = time.Hour

const recordingType = "application/vnd.edgeftp.recording"

func (r *Recording) query() url.Values {
	q := url.Values{}
	q.Set("for", r.For.String())
	q.Set("max", strconv.FormatInt(r.Max, 10))
	q.Set("sample", strconv.Itoa(r.Sample))
	q.Set("names", strconv.FormatBool(r.Names))
	for name, list := range map[string][]string{"hook": r.Hooks, "op": r.Ops, "under": r.Under, "keep": r.Keep} {
		for _, s := range list {
			q.Add(name, s)
		}
	}
	return q
}

func (r *Recording) readQuery(q url.Values) (err error) {
	r.Hooks, r.Ops, r.Under, r.Keep = q["hook"], q["op"], q["under"], q["keep"]
	for name, read := range map[string]func(string) error{
		"for":    func(s string) (err error) { r.For, err = time.ParseDuration(s); return err },
		"max":    func(s string) (err error) { r.Max, err = strconv.ParseInt(s, 10, 64); return err },
		"sample": func(s string) (err error) { r.Sample, err = strconv.Atoi(s); return err },
		"names":  func(s string) (err error) { r.Names, err = strconv.ParseBool(s); return err },
	} {
		if s := q.Get(name); s != "" {
			if err := read(s); err != nil {
				return fmt.Errorf("%s=%.100q is not understood", name, s)
			}
		}
	}
	switch {
	case r.For <= 0 || r.For > MaxRecording:
		return fmt.Errorf("a recording of %v: it takes some time, and at most %v", r.For, MaxRecording)
	case r.Max <= 0 || r.Sample < 0 || r.Sample > 100:
		return errors.New("a recording has some bytes, of 1 to 100 percent of the sessions")
	}
	for _, dir := range append(r.Under, r.Keep...) {
		if !strings.HasPrefix(dir, "/") {
			return fmt.Errorf("%.100q is no virtual path", dir)
		}
	}
	return nil
}

// recordRoute answers with a recording while it is made.
func recordRoute(mux *router, rec Recorder) {
	mux.HandleFunc("GET /v1/policies/{name}/record", func(w http.ResponseWriter, r *http.Request) {
		var what Recording
		if err := what.readQuery(r.URL.Query()); err != nil {
			refuse(w, http.StatusBadRequest, &Refusal{Code: CodeRecording, Message: err.Error()})
			return
		}
		out := &stream{w: w, c: http.NewResponseController(w), kind: recordingType}
		_ = out.c.SetWriteDeadline(time.Now().Add(what.For + time.Minute))
		if err := rec.Record(r.Context(), r.PathValue("name"), what, out); err != nil && !out.begun {
			conclude(w, nil, err)
		} // else its end is missing, which the reader sees
	})
}

// stream is a body that is flushed piece by piece.
type stream struct {
	w     http.ResponseWriter
	c     *http.ResponseController
	kind  string        // media type
	each  time.Duration // that a piece may take; 0 leaves the limit on writing as it is
	begun bool
}

// Write sends a piece.
func (s *stream) Write(b []byte) (int, error) {
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", s.kind)
	}
	if s.each > 0 {
		_ = s.c.SetWriteDeadline(time.Now().Add(s.each))
	}
	n, err := s.w.Write(b)
	return n, errors.Join(err, s.c.Flush())
}

// Record has the server record, and writes the recording to w until the server ends
// it. It returns the number of bytes.
func (c Client) Record(ctx context.Context, name string, r Recording, w io.Writer) (int64, error) {
	return c.stream(ctx, request{method: http.MethodGet, path: policyPath(name, "record") + "?" + r.query().Encode()}, w)
}
