//go:build !linux

package sandbox

import "runtime"

// abiSockets is of no use here.
const abiSockets = 9

// close says that there is nothing.
func (s *State) close(o Options) {
	s.Layers = offLayers()
	for _, name := range []string{SystemCalls, Privileges, CoreDumps} {
		s.Layers = append(s.Layers, Layer{Name: name, State: LayerOff, Text: "not wanted"})
	}
	for i := range s.Layers {
		l := &s.Layers[i]
		landlock := i < len(offLayers())
		if landlock && o.Landlock != Off || l.Name == SystemCalls && o.Seccomp || !landlock && l.Name != SystemCalls && !o.none() {
			l.State, l.Text, l.Help = LayerMissing, "it is made of Linux, and this is "+runtime.GOOS, "serve on Linux"
		}
	}
}
