package listing

import (
	"cmp"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// compare returns the order that the options ask for; without any, the bytes of
// the names decide.
func (o Options) compare() func(a, b vfs.Info) int {
	return func(a, b vfs.Info) int {
		by := 0
		switch {
		case o.Has(ByTime):
			by = b.ModTime.Compare(a.ModTime)
		case o.Has(BySize):
			by = cmp.Compare(b.Size, a.Size)
		}
		if by == 0 {
			by = strings.Compare(a.Name, b.Name)
		}
		if o.Has(Reverse) {
			return -by
		}
		return by
	}
}

// Sort returns dir in the order that the options ask for. At most so many
// entries are held for that; of a directory that has more, the entries come as
// they are stored, as nothing else lets its listing begin at once and stay
// small. Where names alone are wanted, only they are asked of dir if it can give
// them.
func Sort(dir vfs.Dir, o Options, most int, names bool) vfs.Dir {
	return SortIn(nil, dir, o, most, names)
}

// Room is memory that what is held comes out of.
type Room interface {
	// Take reserves n bytes and reports whether they can be had.
	Take(n int64) bool
	// Give gives them back.
	Give(n int64)
}

// SortIn is Sort with what is held coming out of a room, nil for none. A directory for
// which there is no room is one that has too many entries.
func SortIn(room Room, dir vfs.Dir, o Options, most int, names bool) vfs.Dir {
	if most <= 0 {
		return dir
	}
	s := &sorted{Dir: dir, room: room, options: o, most: most, budget: most * averageEntry}
	if !o.Has(ByTime) && !o.Has(BySize) {
		s.look, _ = dir.(vfs.LookDir)
		if s.names = s.look; s.look == nil && names {
			s.names, _ = dir.(vfs.NameDir)
		}
	}
	return s
}

// averageEntry is how many bytes an entry that is held may have on average;
// targets of links can be long.
const averageEntry = 1 << 10

// What an entry that is held takes beside its texts, with the slack of a slice that
// grows: bytes of a vfs.Info, and of a name.
const (
	infoSize = 256
	nameSize = 32
)

// sorted gathers what it can hold, sorts it if that is everything, and hands it
// out. Whatever is left comes as dir gives it.
type sorted struct {
	vfs.Dir
	names   vfs.NameDir // Dir, if its names are enough for the order
	look    vfs.LookDir // Dir, if what is held can be looked at later
	options Options
	most    int
	budget  int // bytes that may still be held
	room    Room
	taken   int64 // of room
	began   bool
	err     error      // what ended the gathering; nil: there is more
	first   []string   // names to be handed out first
	infos   []vfs.Info // or entries
}

// gather reads until everything is held or nothing more can be.
func (s *sorted) gather() {
	if s.began {
		return
	}
	s.began = true
	for s.err == nil && len(s.first)+len(s.infos) <= s.most && s.budget > 0 {
		if s.names != nil {
			var names []string
			names, s.err = s.names.Names(portion)
			bytes := 0
			for _, name := range names {
				bytes += len(name)
			}
			s.first = append(s.first, names...)
			s.hold(bytes, len(names)*nameSize)
			continue
		}
		var infos []vfs.Info
		infos, s.err = s.Dir.Next(portion)
		bytes := 0
		for _, info := range infos {
			bytes += len(info.Name) + len(info.Target)
		}
		s.infos = append(s.infos, infos...)
		s.hold(bytes, len(infos)*infoSize)
	}
	if s.err == nil || len(s.first)+len(s.infos) > s.most {
		return
	}
	slices.SortFunc(s.infos, s.options.compare())
	slices.Sort(s.first)
	if s.options.Has(Reverse) {
		slices.Reverse(s.first)
	}
}

// hold counts texts of so many bytes, and what keeps them. Without room no more is
// gathered.
func (s *sorted) hold(texts, beside int) {
	s.budget -= texts
	if n := int64(texts + beside); s.room != nil {
		if !s.room.Take(n) {
			s.budget = 0
			return
		}
		s.taken += n
	}
}

// Close implements [vfs.Dir].
func (s *sorted) Close() error {
	if s.room != nil {
		s.room.Give(s.taken)
		s.taken = 0
	}
	s.first, s.infos = nil, nil
	return s.Dir.Close()
}

// Next implements [vfs.Dir]. After an error of the directory, what was held
// before it comes first.
func (s *sorted) Next(n int) ([]vfs.Info, error) {
	s.gather()
	for len(s.first) > 0 {
		var names []string
		names, s.first = cut(s.first, n)
		infos, err := s.look.Look(names)
		if err != nil || len(infos) > 0 {
			return infos, err
		}
	}
	if len(s.infos) > 0 {
		var infos []vfs.Info
		infos, s.infos = cut(s.infos, n)
		return infos, nil
	}
	if s.err != nil {
		return nil, s.err
	}
	return s.Dir.Next(n)
}

// Names implements [vfs.NameDir].
func (s *sorted) Names(n int) ([]string, error) {
	s.gather()
	if len(s.first) > 0 {
		var names []string
		names, s.first = cut(s.first, n)
		return names, nil
	}
	if len(s.infos) == 0 && s.err == nil && s.names != nil {
		return s.names.Names(n)
	}
	infos, err := s.Next(n)
	names := make([]string, 0, len(infos))
	for _, info := range infos {
		names = append(names, info.Name)
	}
	return names, err
}
