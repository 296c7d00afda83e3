package listing

import (
	"io"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// Fixed returns a directory that holds the given entries, in their order.
func Fixed(infos ...vfs.Info) vfs.Dir { return &fixed{infos} }

type fixed struct{ left []vfs.Info }

func (d *fixed) Next(n int) ([]vfs.Info, error) {
	if len(d.left) == 0 {
		return nil, io.EOF
	}
	var out []vfs.Info
	out, d.left = cut(d.left, n)
	return out, nil
}

func (d *fixed) Close() error {
	d.left = nil
	return nil
}

// cut returns the first n elements, at least one, and those behind them.
func cut[T any](all []T, n int) (first, rest []T) {
	n = min(max(n, 1), len(all))
	return all[:n], all[n:]
}

// With returns dir with further entries. Where a name is in both, it is told as
// dir has it.
func With(dir vfs.Dir, extra ...vfs.Info) vfs.Dir {
	if len(extra) == 0 {
		return dir
	}
	w := &with{Dir: dir, extra: make(map[string]vfs.Info, len(extra))}
	for _, info := range extra {
		w.order = append(w.order, info.Name)
		w.extra[info.Name] = info
	}
	return w
}

type with struct {
	vfs.Dir
	order []string // of the extra entries
	extra map[string]vfs.Info
	ended bool
}

func (d *with) Next(n int) ([]vfs.Info, error) {
	if !d.ended {
		infos, err := d.Dir.Next(n)
		for _, info := range infos {
			delete(d.extra, info.Name)
		}
		if err != io.EOF || len(infos) > 0 {
			return infos, err
		}
		d.ended = true
	}
	var infos []vfs.Info
	for len(infos) < max(n, 1) && len(d.order) > 0 {
		if info, ok := d.extra[d.order[0]]; ok {
			infos = append(infos, info)
		}
		d.order = d.order[1:]
	}
	if len(infos) == 0 {
		return nil, io.EOF
	}
	return infos, nil
}
