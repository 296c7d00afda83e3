// Package sources watches the folder of a policy's source, so that the policy can be
// built again when somebody has saved a file.
//
// It looks at what the files hold and not at what the system tells of them: editors
// save by writing, by renaming, by removing and making anew, and with any number of
// events. An event only says when to look.
package sources

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const slash = string(filepath.Separator)

// Options say when a watch looks. The zero value has defaults.
type Options struct {
	// Quiet is how long nothing must have happened before it looks, 0 for 100 ms:
	// editors and tools write several files.
	Quiet time.Duration
	// Latest is when it looks although something happens all the time, 0 for 1 s
	// after the first event.
	Latest time.Duration
	// Poll is the time after which it looks without an event, 0 for 2 s: some file
	// systems send none.
	Poll time.Duration
	// Log is told of what cannot be watched. Nil discards.
	Log *slog.Logger
	// Help says what helps where a folder cannot be watched because of err, "" if
	// nothing is known. Nil knows nothing.
	Help func(dir string, err error) string
}

func (o Options) withDefaults() Options {
	if o.Quiet <= 0 {
		o.Quiet = 100 * time.Millisecond
	}
	if o.Latest <= 0 {
		o.Latest = time.Second
	}
	if o.Poll <= 0 {
		o.Poll = 2 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Help == nil {
		o.Help = func(string, error) string { return "" }
	}
	return o
}

// Watch is a look at a folder, and how to go on from there. One goroutine uses it.
type Watch struct {
	options Options
	dir     string
	more    []string // folders elsewhere that belong to it
	refused []refusal
	seen    map[string]stamp
	said    string // the last complaints, which are not repeated
}

// refusal is a folder that could not be looked at.
type refusal struct {
	dir string
	err error
}

// New looks at the folder dir, which is absolute, and those below it. What changes
// from now on is seen by [Watch.Run].
func New(dir string, o Options) *Watch {
	w := &Watch{options: o.withDefaults(), dir: dir}
	w.seen, _ = w.look()
	return w
}

// Also makes the folders, absolute and without links, belong to the source, without
// those below them. Those in dir and below belong to it already.
func (w *Watch) Also(dirs []string) {
	own, err := filepath.EvalSymlinks(w.dir)
	if err != nil {
		own = w.dir // it is gone, and the next look tells
	}
	w.more = w.more[:0]
	for _, d := range dirs {
		if d != own && !strings.HasPrefix(d, own+slash) {
			w.more = append(w.more, d)
		}
	}
	now, err := w.look()
	if err != nil {
		return // the next look tells
	}
	for path, s := range now { // what is new to it has not changed
		if _, known := w.seen[path]; !known && !strings.HasPrefix(path, w.dir+slash) {
			w.seen[path] = s
		}
	}
	maps.DeleteFunc(w.seen, func(path string, _ stamp) bool {
		_, there := now[path]
		return !there && !strings.HasPrefix(path, w.dir+slash)
	})
}

// Run calls changed with the names of the files that have changed, relative to the
// folder and in order, whenever some have, until ctx ends. While changed runs
// nothing is looked at; what happens meanwhile is found afterwards.
func (w *Watch) Run(ctx context.Context, changed func(ctx context.Context, names []string)) {
	bell, err := newBell()
	if err != nil {
		w.options.Log.Warn("the system does not tell of changes in a policy's source: it is looked at from time to time",
			"dir", w.dir, "every", w.options.Poll.String(), "error", err)
		bell = silent()
	}
	defer bell.close()
	for first := true; first || w.wait(ctx, bell); first = false {
		bell.watch(w.dirs()) // before the look: what comes after it rings
		now, err := w.look()
		w.complain(err)
		if err != nil {
			continue
		}
		names := w.differing(now)
		w.seen = now
		if len(names) > 0 {
			changed(ctx, names)
		}
	}
}

// complain logs what the last look was refused, once: the whole source because of err,
// or folders elsewhere, without which the rest is watched.
func (w *Watch) complain(err error) {
	all, what := w.refused, "a folder that a policy's source needs is not watched"
	if err != nil {
		all, what = []refusal{{w.dir, err}}, "a policy's source is not watched"
	}
	said := ""
	for _, r := range all {
		said += r.dir + ": " + r.err.Error() + "\n"
	}
	if said == w.said {
		return
	}
	w.said = said
	for _, r := range all {
		told := []any{"dir", r.dir, "error", r.err}
		if help := w.options.Help(r.dir, r.err); help != "" {
			told = append(told, "help", help)
		}
		w.options.Log.Error(what, told...)
	}
}

// Linked lists the files that links in the folder, and those below it, lead to, links
// resolved, if they lie in no folder that is watched.
func (w *Watch) Linked() (files []string) {
	watched := map[string]bool{}
	for _, dir := range w.dirs() {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			watched[real] = true
		}
	}
	for path := range w.seen {
		if real, err := filepath.EvalSymlinks(path); err == nil && !watched[filepath.Dir(real)] {
			files = append(files, real)
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// wait waits until it is time to look, and reports false if ctx has ended.
func (w *Watch) wait(ctx context.Context, b *bell) bool {
	poll := time.NewTimer(w.options.Poll)
	defer poll.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-poll.C:
		return true
	case <-b.rung:
	}
	latest := time.NewTimer(w.options.Latest)
	defer latest.Stop()
	for {
		quiet := time.NewTimer(w.options.Quiet)
		select {
		case <-ctx.Done():
			quiet.Stop()
			return false
		case <-latest.C:
			quiet.Stop()
			return true
		case <-quiet.C:
			return true
		case <-b.rung:
			quiet.Stop()
		}
	}
}

// differing names what a look has found otherwise than the one before.
func (w *Watch) differing(now map[string]stamp) (names []string) {
	for path, s := range now {
		if was, known := w.seen[path]; !known || was.sum != s.sum {
			names = append(names, w.name(path))
		}
	}
	for path := range w.seen {
		if _, there := now[path]; !there {
			names = append(names, w.name(path))
		}
	}
	slices.Sort(names)
	return names
}

func (w *Watch) name(path string) string {
	if name, below := strings.CutPrefix(path, w.dir+slash); below {
		return name
	}
	return path
}

// Brief names at most three of the files, and says how many more there are.
func Brief(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
