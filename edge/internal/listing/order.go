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
// small. Where names alone decide, only they are asked of dir if it can give them.
func Sort(dir vfs.Dir, o Options, most int) vfs.Dir { return SortIn(nil, dir, o, most) }

// Room is memory that what is held comes out of.
type Room interface {
	// Take reserves n bytes and reports whether they can be had.
	Take(n int64) bool
	// Give gives them back.
	Give(n int64)
}

// SortIn is Sort with what is held coming out of a room, nil for none. A directory for
// which there is no room is one that has too many entries.
func SortIn(room Room, dir vfs.Dir, o Options, most int) vfs.Dir {
	if most <= 0 {
		return dir
	}
	h := hold{room: room, most: most, budget: most * averageEntry}
	if look, ok := dir.(vfs.LookDir); ok && !o.Has(ByTime) && !o.Has(BySize) {
		return &sortedLooks{look, heldNames{hold: h, reverse: o.Has(Reverse), more: look.Candidates}}
	}
	return &sorted{Dir: dir, hold: h, options: o}
}

// SortNames is SortIn for a directory of which names are wanted and nothing else.
func SortNames(room Room, dir vfs.Dir, o Options, most int) vfs.Dir {
	names, ok := dir.(vfs.NameDir)
	if !ok || most <= 0 || o.Has(ByTime) || o.Has(BySize) {
		return SortIn(room, dir, o, most)
	}
	h := hold{room: room, most: most, budget: most * averageEntry}
	return &sortedNames{names, heldNames{hold: h, reverse: o.Has(Reverse), more: names.AppendNames}}
}

// averageEntry is how many bytes an entry that is held may have on average;
// targets of links can be long.
const averageEntry = 1 << 10

// What an entry that is held takes beside its texts, with the slack of a slice that
// grows: bytes of a vfs.Info, and of a name with what sorting it takes.
const (
	infoSize = 256
	nameSize = 96
)

// hold counts what is held.
type hold struct {
	most   int
	budget int // bytes that may still be held
	room   Room
	taken  int64 // of room
}

// full reports whether no more may be held than so many entries.
func (h *hold) full(n int) bool { return n > h.most || h.budget <= 0 }

// count counts texts of so many bytes, and what keeps them. Without room no more is
// held.
func (h *hold) count(texts, beside int) {
	h.budget -= texts
	if n := int64(texts + beside); h.room != nil {
		if !h.room.Take(n) {
			h.budget = 0
			return
		}
		h.taken += n
	}
}

// release gives back what was taken.
func (h *hold) release() {
	if h.room != nil {
		h.room.Give(h.taken)
		h.taken = 0
	}
}

// sorted gathers what it can hold, sorts it if that is everything, and hands it
// out. Whatever is left comes as dir gives it.
type sorted struct {
	vfs.Dir
	hold
	options Options
	began   bool
	err     error // what ended the gathering; nil: there is more
	infos   []vfs.Info
}

// gather reads until everything is held or nothing more can be.
func (s *sorted) gather() {
	if s.began {
		return
	}
	s.began = true
	for s.err == nil && !s.full(len(s.infos)) {
		var infos []vfs.Info
		infos, s.err = s.Dir.Next(portion)
		bytes := 0
		for i := range infos {
			bytes += len(infos[i].Name) + len(infos[i].Target)
		}
		s.infos = append(s.infos, infos...)
		s.count(bytes, len(infos)*infoSize)
	}
	if s.err != nil && len(s.infos) <= s.most {
		slices.SortFunc(s.infos, s.options.compare())
	}
}

// Close implements [vfs.Dir].
func (s *sorted) Close() error {
	s.release()
	s.infos = nil
	return s.Dir.Close()
}

// Next implements [vfs.Dir]. After an error of the directory, what was held
// before it comes first.
func (s *sorted) Next(n int) ([]vfs.Info, error) {
	s.gather()
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

// heldNames is sorted for names.
type heldNames struct {
	hold
	reverse bool
	more    func(names []string, n int) ([]string, error)
	began   bool
	err     error
	names   []string
}

func (h *heldNames) gather() {
	if h.began {
		return
	}
	h.began = true
	for h.err == nil && !h.full(len(h.names)) {
		had := len(h.names)
		h.names, h.err = h.more(h.names, portion)
		bytes := 0
		for _, name := range h.names[had:] {
			bytes += len(name)
		}
		h.count(bytes, (len(h.names)-had)*nameSize)
	}
	if h.err == nil || len(h.names) > h.most {
		return
	}
	sortNames(h.names)
	if h.reverse {
		slices.Reverse(h.names)
	}
}

// next appends the next names.
func (h *heldNames) next(names []string, n int) ([]string, error) {
	h.gather()
	if len(h.names) > 0 {
		var first []string
		first, h.names = cut(h.names, n)
		return append(names, first...), nil
	}
	if h.err != nil {
		return names, h.err
	}
	return h.more(names, n)
}

func (h *heldNames) drop() {
	h.release()
	h.names = nil
}

// sortedLooks is a directory whose names are sorted before it is looked at.
type sortedLooks struct {
	vfs.LookDir
	held heldNames
}

// Candidates implements [vfs.LookDir].
func (s *sortedLooks) Candidates(names []string, n int) ([]string, error) {
	return s.held.next(names, n)
}

// Next implements [vfs.Dir].
func (s *sortedLooks) Next(n int) ([]vfs.Info, error) {
	for {
		names, err := s.held.next(nil, n)
		if err != nil {
			return nil, err
		}
		var infos []vfs.Info
		err = s.Look(names, func(info *vfs.Info) { infos = append(infos, *info) })
		if err != nil {
			return nil, err
		}
		if len(infos) > 0 {
			return infos, nil
		}
	}
}

// Close implements [vfs.Dir].
func (s *sortedLooks) Close() error {
	s.held.drop()
	return s.LookDir.Close()
}

// sortedNames is a directory whose names are sorted. Its Next is that of the
// directory, less the names that were held.
type sortedNames struct {
	vfs.NameDir
	held heldNames
}

// AppendNames implements [vfs.NameDir].
func (s *sortedNames) AppendNames(names []string, n int) ([]string, error) {
	return s.held.next(names, n)
}

// Close implements [vfs.Dir].
func (s *sortedNames) Close() error {
	s.held.drop()
	return s.NameDir.Close()
}
