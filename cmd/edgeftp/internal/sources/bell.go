package sources

import "github.com/fsnotify/fsnotify"

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
	b := &bell{rung: make(chan struct{}, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for events, errs := w.Events, w.Errors; events != nil || errs != nil; {
			var open bool
			select {
			case _, open = <-events:
				if !open {
					events = nil
				}
			case _, open = <-errs: // events were lost: all the more reason to look
				if !open {
					errs = nil
				}
			}
			select {
			case b.rung <- struct{}{}:
			default:
			}
		}
	}()
	b.watch = func(dirs []string) {
		for _, dir := range dirs {
			_ = w.Add(dir) // what cannot be watched is looked at from time to time
		}
	}
	b.close = func() {
		_ = w.Close()
		<-done
	}
	return b, nil
}
