package edge

import (
	"log/slog"

	"github.com/edgeftp/edgeftp/edge/pi"
)

// Panicked is for what an embedder runs beside the server: it is to be called with what
// recover returned, in the deferred function that has recovered it. The panic is logged
// with its stack, and counted in Status.
func (s *Server) Panicked(p any) { s.panicked(s.log, p) }

func (s *Server) panicked(log *slog.Logger, p any) {
	s.panics.Add(1)
	pi.LogPanic(log, p)
}

// guard calls fn, and reports whether it came back without a panic.
func (s *Server) guard(fn func()) (well bool) {
	defer func() {
		if p := recover(); p != nil {
			s.Panicked(p)
		}
	}()
	fn()
	return true
}
