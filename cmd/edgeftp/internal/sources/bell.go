package sources

import (
	"github.com/fsnotify/fsnotify"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/ring"
)

// bell rings when something may have changed in the watched folders.
type bell struct {
	rung  chan struct{} // holds one ring
	watch func(dirs []string)
	close func()
}

// silent is a bell that never rings.
func silent() *bell {
	return &bell{watch: func([]string) {}, close: func() {}}
}

// newBell rings for the system's word on folders that it is told to watch, which is
// done again and again: others may have taken their places.
func newBell() (*bell, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	b := new(bell)
	b.rung, b.close = ring.Of(w)
	b.watch = func(dirs []string) {
		for _, dir := range dirs {
			_ = w.Add(dir) // what cannot be watched is looked at from time to time
		}
	}
	return b, nil
}
