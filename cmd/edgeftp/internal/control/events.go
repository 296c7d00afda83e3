package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/events"
	"github.com/edgeftp/edgeftp/policies/eventlog"
)

const (
	eventsType = "text/event-stream"
	// heartbeat is how often a stream without events shows that it is alive.
	heartbeat = 15 * time.Second
	// eventsPatience is how long a reader may take for what is sent to it.
	eventsPatience = 30 * time.Second
)

// Lost is told in a stream of events, as the event lost.
type Lost struct {
	Lost uint64 `json:"lost"` // events that the reader was too slow for
}

// readFilter reads what is wanted: kind (repeated, or with commas), user and session.
func readFilter(q url.Values) (f events.Filter, err error) {
	for name := range q {
		if !slices.Contains([]string{"kind", "user", "session"}, name) {
			return f, fmt.Errorf("%.60q is no filter: kind, user and session are", name)
		}
	}
	for _, list := range q["kind"] {
		for kind := range strings.SplitSeq(list, ",") {
			if !slices.Contains(events.Kinds(), kind) {
				return f, fmt.Errorf("%.60q is no event that can be followed: they are %s", kind, strings.Join(events.Kinds(), ", "))
			}
			f.Kinds = append(f.Kinds, kind)
		}
	}
	f.User = q.Get("user")
	if s := q.Get("session"); s != "" {
		if f.Session, err = strconv.ParseUint(s, 10, 64); err != nil || f.Session == 0 {
			return f, fmt.Errorf("%.60q is no number of a session", s)
		}
	}
	return f, nil
}

// eventsRoute streams events as server-sent events until the reader or the server goes.
func eventsRoute(mux *router, hub *events.Hub) {
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, r *http.Request) {
		f, err := readFilter(r.URL.Query())
		if err != nil {
			refuse(w, http.StatusBadRequest, &Refusal{Code: CodeEvents, Message: err.Error()})
			return
		}
		reader, err := hub.Follow(f)
		if err != nil {
			refuse(w, http.StatusServiceUnavailable, &Refusal{Code: CodeListeners, Message: err.Error(), Help: "end one of them first"})
			return
		}
		defer reader.Close()
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		w.Header().Set("Content-Type", eventsType)
		w.Header().Set("Cache-Control", "no-store")
		follow(r.Context(), &sse{w: w, c: http.NewResponseController(w)}, reader)
	})
}

// follow sends what a reader gets until one of them has gone.
func follow(ctx context.Context, out *sse, reader *events.Reader) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	out.send("", nil) // that it has begun
	for out.err == nil {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-reader.Events():
			if !ok {
				return
			}
			out.event(&e)
		case <-beat.C:
			out.send("", nil)
		}
		if n := reader.Lost(); n > 0 {
			text, _ := json.Marshal(Lost{n}) // a number
			out.send("lost", text)
		}
	}
}

// sse writes server-sent events.
type sse struct {
	w   io.Writer
	c   *http.ResponseController
	err error
}

func (s *sse) event(e *eventlog.Record) {
	text, err := e.AppendTo(nil)
	if err != nil {
		s.err = err
		return
	}
	s.send(e.Event, text)
}

// send sends an event, or without a name a comment. The data has no line ends.
func (s *sse) send(name string, data []byte) {
	text := []byte(":\n\n")
	if name != "" {
		text = fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, data)
	}
	_ = s.c.SetWriteDeadline(time.Now().Add(eventsPatience))
	_, err := s.w.Write(text)
	s.err = errors.Join(err, s.c.Flush())
}

// Follow asks for GET /v1/events and hands each event over, and how many were lost, until
// the server ends it, ctx ends or each returns an error.
func (c Client) Follow(ctx context.Context, f events.Filter, each func(eventlog.Record) error, lost func(uint64)) error {
	q := url.Values{"kind": f.Kinds}
	if f.User != "" {
		q.Set("user", f.User)
	}
	if f.Session != 0 {
		q.Set("session", strconv.FormatUint(f.Session, 10))
	}
	res, done, err := c.begin(ctx, request{method: http.MethodGet, path: "/v1/events?" + q.Encode()})
	if err != nil {
		return err
	}
	defer done()
	if res.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		if err != nil {
			return c.failed(ctx, err)
		}
		return c.refused(res.Status, text)
	}
	if err := readEvents(res.Body, each, lost); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// maxEvent is how long a line of a stream may be.
const maxEvent = 256 << 10

// readEvents reads a stream.
func readEvents(in io.Reader, each func(eventlog.Record) error, lost func(uint64)) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 4<<10), maxEvent)
	name := ""
	for lines.Scan() {
		line := lines.Bytes()
		if n, ok := bytes.CutPrefix(line, []byte("event: ")); ok {
			name = string(n)
			continue
		}
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok {
			continue
		}
		var e eventlog.Record
		var gone Lost
		var err error
		if name == "lost" {
			if err = json.Unmarshal(data, &gone); err == nil {
				lost(gone.Lost)
			}
		} else if err = json.Unmarshal(data, &e); err == nil {
			err = each(e)
		}
		if err != nil {
			return err
		}
	}
	return lines.Err()
}
