package guests

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/policies/accesslog"
)

// lines is a slog.Handler that keeps what modules write.
type lines struct {
	slog.Handler
	mu  sync.Mutex
	all []string
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, r.Message)
	return nil
}

// TestLines: the access log of the module has the lines of the native one.
func TestLines(t *testing.T) {
	module := build(t, "accesslog")
	for format, settings := range map[accesslog.Format]string{accesslog.Xferlog: ``, accesslog.Common: `{"format":"common","commands":true}`,
		accesslog.JSON: `{"format":"json","commands":true}`} {
		t.Run(string(format), func(t *testing.T) {
			var native []string
			one, err := accesslog.New(accesslog.Config{Format: format, Commands: format != accesslog.Xferlog, Sink: func(line []byte) error {
				native = append(native, string(line))
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			log := &lines{Handler: slog.DiscardHandler}
			other, _ := load(t, newHost(t, slog.New(log)), form{name: "accesslog", settings: settings}, module, atNoon)
			for i, path := range []string{"/a", "/a b", "/ä", "/\"\\", "/x\ty", "/\xff", "/\u202e"} {
				for kind := policy.EventLogin; kind <= policy.EventCommandDone; kind++ {
					e := &policy.Event{Meta: of("anna", "2001:db8::1"), Kind: kind, Path: path, Text: "RETR " + path, Op: policy.OpRead, Size: int64(i), Code: 226}
					if err := one.Observe(t.Context(), e); err != nil {
						t.Error(err)
					}
					if err := other.Hooks().Observer.Observe(t.Context(), e); err != nil {
						t.Error(err)
					}
				}
			}
			if !slices.Equal(native, log.all) || len(native) < 28 {
				t.Errorf("native:\n%q\nguest:\n%q", native, log.all)
			}
		})
	}
}
