package edge

// Hold lets no new session begin while it is on: connections are answered 421, also those
// of ServeConn, and those closed that would be handed on. Sessions that there are go on. It ends with Hold(false), and is of no
// effect once Shutdown was called.
func (s *Server) Hold(on bool) { s.held.Store(on) }

// Held reports whether Hold is on.
func (s *Server) Held() bool { return s.held.Load() }
