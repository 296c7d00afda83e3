// Package ring turns the system's word on files into a bell: something may have changed.
// Which file it was about, and what was done to it, is not used: a look tells that more
// reliably.
package ring

import "github.com/fsnotify/fsnotify"

// Of returns a channel that holds one ring at most, for whatever happens in what w
// watches, and what closes w and waits for its end.
func Of(w *fsnotify.Watcher) (rung chan struct{}, close func()) {
	rung = make(chan struct{}, 1)
	done := make(chan struct{})
	go listen(w, rung, done)
	return rung, func() {
		_ = w.Close() // nothing is left to tell
		<-done
	}
}

func listen(w *fsnotify.Watcher, rung, done chan struct{}) {
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
		case rung <- struct{}{}:
		default:
		}
	}
}
