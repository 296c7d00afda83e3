package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// make prepares a file, a directory or a link, with what is missing above it.
func (r *run) make(word string, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s needs a path", word)
	}
	path := vfs.Path(args[0]) // as it is, so that names can be made that no client can
	switch word {
	case "file":
		data, err := content(args[1:])
		if err != nil {
			return err
		}
		return r.fs.WriteFile(path, data)
	case "many":
		return r.many(path, args[1:])
	case "link":
		return r.fs.WriteLink(strings.Join(args[1:], ""), path)
	case "chmod", "touch":
		return r.change(word, path, args[1:])
	}
	return r.mkdir(path)
}

// many makes a directory of so many empty files.
func (r *run) many(dir vfs.Path, args []string) error {
	n, err := strconv.Atoi(strings.Join(args, ""))
	for i := 0; err == nil && i < n; i++ {
		err = r.fs.WriteFile(dir.Join(fmt.Sprintf("file-%05d", i)), nil)
	}
	return err
}

func (r *run) mkdir(p vfs.Path) error {
	if p == vfs.Root {
		return nil
	}
	if err := r.mkdir(p.Dir()); err != nil {
		return err
	}
	if err := r.fs.Mkdir(p); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// check carries out the steps that look at the filesystem and at the server from
// within.
func (r *run) check(ctx context.Context, word string, args []string) (handled bool, err error) {
	switch word {
	case "event", "gone":
		return true, r.wait(ctx, word, args)
	case "exists", "absent", "is-dir", "mode", "time", "kept", "not-kept":
	default:
		return false, nil
	}
	if len(args) == 0 {
		return true, fmt.Errorf("%s needs a path", word)
	}
	path, err := vfs.Clean(vfs.Root, args[0])
	if err != nil {
		return true, err
	}
	return true, r.checkPath(word, path, args[1:])
}

func (r *run) checkPath(word string, p vfs.Path, args []string) error {
	switch word {
	case "exists":
		return r.exists(p, args)
	case "kept", "not-kept":
		return r.partial(word, p, args)
	}
	info, err := r.fs.Lstat(p)
	switch {
	case word == "absent" && err == nil:
		return fmt.Errorf("there is %v %s", info.Mode, p)
	case word == "absent" && errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case word == "is-dir" && !info.IsDir():
		return errors.New("it is no directory")
	case word == "mode":
		want, err := strconv.ParseUint(strings.Join(args, ""), 8, 32)
		if err == nil && info.Mode.Perm() != fs.FileMode(want) {
			err = fmt.Errorf("the mode is %o", info.Mode.Perm())
		}
		return err
	case word == "time":
		if got := info.ModTime.UTC().Format("20060102150405"); got != strings.Join(args, "") {
			return fmt.Errorf("the time is %s", got)
		}
	}
	return nil
}

// partial looks at what is kept privately of an interrupted upload.
func (r *run) partial(word string, p vfs.Path, args []string) error {
	parts, ok := r.served.(vfs.Partials)
	if !ok {
		return elsewhere("it looks at what the server keeps of an interrupted upload")
	}
	info, err := parts.Partial(user, p)
	switch {
	case word == "not-kept" && err == nil:
		return fmt.Errorf("%d bytes are kept", info.Size)
	case word == "kept" && err == nil && fmt.Sprint(info.Size) != strings.Join(args, ""):
		return fmt.Errorf("%d bytes are kept", info.Size)
	case word == "kept":
		return err
	}
	return nil
}

// exists checks that a file is there, and what it holds if that is given.
func (r *run) exists(p vfs.Path, args []string) error {
	f, err := r.fs.Open(p)
	if err != nil {
		return err
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	if err != nil || len(args) == 0 {
		return err
	}
	want, err := content(args)
	if err == nil && string(got) != string(want) {
		err = fmt.Errorf("it holds %q", clip(string(got)))
	}
	return err
}

// wait waits for an event, with a path or text if that is given, or ("gone") for
// the end of a session.
func (r *run) wait(ctx context.Context, word string, args []string) error {
	if r.foreign != nil {
		return elsewhere("it looks at events")
	}
	if r.srv == nil {
		return errors.New("there is no server yet")
	}
	ctx, cancel := until(ctx)
	defer cancel()
	kind := "disconnect"
	if word == "event" {
		if len(args) == 0 {
			return errors.New("event needs a kind")
		}
		kind, args = args[0], args[1:]
	}
	for {
		e, err := r.srv.rules.wait(ctx, &r.seen, kind)
		if err != nil || len(args) == 0 {
			return err
		}
		if r.vars.match(args[0], e.Path) == nil || r.vars.match(args[0], e.Text) == nil {
			return nil
		}
	}
}
