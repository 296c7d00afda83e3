package vfstest

import (
	"context"
	"io/fs"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

func positionChecks() []check {
	return []check{
		{"append", (*bed).testAppend},
		{"append alone", (*bed).testAppendAlone},
		{"append to what goes away", (*bed).testAppendGone},
		{"append to what comes", (*bed).testAppendComes},
		{"offset inside", (*bed).testOffsetInside},
		{"offset at the end", (*bed).testOffsetEnd},
		{"offset beyond", (*bed).testOffsetBeyond},
	}
}

func (b *bed) testAppend() {
	b.upload("/f", vfs.StageOptions{Append: true}, "one")
	b.holds("/f", "one")
	s := b.stage("/f", vfs.StageOptions{Append: true})
	if s.Size() != 3 {
		b.Errorf("Size is %d", s.Size())
	}
	b.write(s, "two")
	b.commit(s)
	b.holds("/f", "onetwo")
	s = b.stage("/f", vfs.StageOptions{Append: true})
	b.commit(s)
	b.holds("/f", "onetwo")
}

// Appends come one after the other, each in one piece.
func (b *bed) testAppendAlone() {
	b.put("/f", "0")
	one := b.stage("/f", vfs.StageOptions{Append: true})
	b.write(one, "11")
	_, err := b.w.Stage("/f", vfs.StageOptions{Append: true})
	b.is(err, vfs.ErrBusy)
	_, err = b.w.Stage("/f", vfs.StageOptions{Append: true, Owner: "ann"})
	b.is(err, vfs.ErrBusy)
	b.write(one, "1")
	b.commit(one)
	b.upload("/f", vfs.StageOptions{Append: true}, "222")
	b.holds("/f", "0111222")
	one = b.stage("/f", vfs.StageOptions{Append: true})
	b.write(one, "3")
	b.ok(one.Discard(true))
	b.upload("/f", vfs.StageOptions{Append: true}, "4")
	b.holds("/f", "01112224")
}

// An append that nobody could find afterwards is no success.
func (b *bed) testAppendGone() {
	b.put("/f", "f")
	s := b.stage("/f", vfs.StageOptions{Append: true})
	b.write(s, "x")
	b.ok(b.w.Remove("/f"))
	b.is(s.Commit(context.Background()), fs.ErrNotExist)
	b.absent("/f")

	b.put("/f", "f")
	s = b.stage("/f", vfs.StageOptions{Append: true})
	b.write(s, "x")
	b.put("/f", "replaced")
	b.is(s.Commit(context.Background()), vfs.ErrBusy)
	b.holds("/f", "replaced")
}

// An append to what did not exist does not replace what others have put there
// meanwhile: of several that begin together, each would lose the bytes of another one
// that were acknowledged.
func (b *bed) testAppendComes() {
	for _, owner := range []string{"", "ann"} {
		first := b.stage("/log", vfs.StageOptions{Append: true, Owner: owner})
		second := b.stage("/log", vfs.StageOptions{Append: true, Owner: owner})
		b.write(first, "one\n")
		b.write(second, "two\n")
		b.commit(first)
		b.is(second.Commit(context.Background()), vfs.ErrBusy)
		b.holds("/log", "one\n")
		b.upload("/log", vfs.StageOptions{Append: true, Owner: owner}, "two\n")
		b.holds("/log", "one\ntwo\n")
		b.ok(b.w.Remove("/log"))
	}
}

// REST inside a file overwrites, and what is behind stays (r+).
func (b *bed) testOffsetInside() {
	b.put("/f", "0123456789")
	s := b.stage("/f", vfs.StageOptions{Offset: 3})
	if s.Size() != 10 {
		b.Errorf("Size is %d", s.Size())
	}
	b.write(s, "ab")
	b.write(s, "cd")
	b.holds("/f", "0123456789")
	if s.Size() != 10 {
		b.Errorf("Size is %d", s.Size())
	}
	b.commit(s)
	b.holds("/f", "012abcd789")
	b.upload("/f", vfs.StageOptions{Offset: 8}, "xyz")
	b.holds("/f", "012abcd7xyz")
	b.commit(b.stage("/f", vfs.StageOptions{Offset: 2}))
	b.holds("/f", "012abcd7xyz")
}

func (b *bed) testOffsetEnd() {
	b.put("/f", "012")
	b.upload("/f", vfs.StageOptions{Offset: 3}, "345")
	b.holds("/f", "012345")
}

func (b *bed) testOffsetBeyond() {
	b.put("/f", "012")
	_, err := b.w.Stage("/f", vfs.StageOptions{Offset: 4})
	b.is(err, vfs.ErrOffset)
	_, err = b.w.Stage("/no", vfs.StageOptions{Offset: 1})
	b.is(err, fs.ErrNotExist)
	b.holds("/f", "012")
	b.absent("/no")
}
