package edge_test

import (
	"errors"
	"io/fs"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// toTrash deletes nothing: it moves files into a directory.
func toTrash(dir vfs.Path) pi.Handler {
	return func(s *pi.Session, a pi.Args) pi.Outcome {
		// First ask: the answer of the policies names the path that is meant.
		grant, err := s.Ask(pi.Question{Op: policy.OpDelete, Perm: policy.PermDelete, Path: a.Path, Text: a.Text})
		if err != nil {
			return s.Fail(err)
		}
		from := vfs.Path(grant.Path)
		files, ok := s.FS().(vfs.Writer)
		if !ok {
			return s.Fail(vfs.ErrReadOnly)
		}
		if err := files.Mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
			return s.Fail(err)
		}
		if err := files.Rename(from, dir.Join(from.Base())); err != nil {
			return s.Fail(err) // in the words that all commands have for it
		}
		s.Tell(policy.Event{Kind: policy.EventFileDeleted, Op: policy.OpDelete, Path: grant.Path})
		return pi.Say(wire.CodeFileActionOK, "%s lies in the trash now.", grant.Path)
	}
}

// A row of the same verb takes the place of the one that is there.
func Example_replaceCommand() {
	conf := basic()
	conf.Commands = pi.Standard().With(pi.Spec{
		Verb: "DELE", Grammar: pi.PathArg, Perm: policy.PermDelete, Ops: policy.OpsOf(policy.OpDelete), RFC: "RFC 959 §4.1.3",
		Help:    "path: move a file into the trash",
		Handler: toTrash("/.trash"),
	}).Without("RMD", "XRMD")
	serve(must(edge.New(conf)), func(c *client) {
		c.login()
		c.put("STOR a.txt", "hello")
		c.say("DELE a.txt", "DELE a.txt", "DELE", "RMD /")
		c.get("NLST /.trash")
	})
	// Output:
	// > STOR a.txt
	// < 226 Transfer complete.
	// > DELE a.txt
	// < 250 /a.txt lies in the trash now.
	// > DELE a.txt
	// < 550 No such file or directory.
	// > DELE
	// < 501 This command needs an argument.
	// > RMD /
	// < 500 RMD is not a command of this server.
	// > NLST /.trash
	// /.trash/a.txt
	// < 226 Transfer complete.
}
