package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/ftpclient"
)

// mirroring is edgeftp mirror.
type mirroring struct {
	moving
	mirror ftpclient.Mirror
}

func mirrorCommand() *cobra.Command {
	m := new(mirroring)
	cmd := &cobra.Command{Use: "mirror SOURCE TARGET", Short: "Make a directory the same as another one, here or at a server", Args: cobra.ExactArgs(2),
		Long: "Makes the directory TARGET the same as SOURCE, of which one is a URL and the other a directory here: files are moved that are not\n" +
			"there, or whose size or time differs (--checksum: or whose SHA-256 differs). Links are not followed.\n\n" +
			"With --delete what SOURCE does not have is removed from TARGET, at last, and only if everything else has gone well. If that is more\n" +
			"than --max-delete names nothing is changed at all; --dry-run shows what would be.\n\n" + urls,
		Example: "  edgeftp mirror ftp://ftp.example.org/pub/ /srv/pub\n" +
			"  edgeftp mirror --delete --dry-run site ftp://anna@ftp.example.org/www\n" +
			"  edgeftp mirror --delete --max-delete 500 --parallel 4 site ftp://anna@ftp.example.org/www",
		RunE: m.run}
	m.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&m.mirror.Checksum, "checksum", false, "compare files of one size by SHA-256, and not by their times")
	f.BoolVar(&m.mirror.Delete, "delete", false, "remove from TARGET what SOURCE does not have")
	f.IntVar(&m.mirror.MaxDelete, "max-delete", 100, "with --delete: change nothing if more names than that would go")
	f.BoolVarP(&m.mirror.DryRun, "dry-run", "n", false, "only tell what would be done")
	return cmd
}

func (m *mirroring) run(cmd *cobra.Command, args []string) error {
	if ftpclient.IsURL(args[0]) == ftpclient.IsURL(args[1]) {
		return exitWith(exitUsage, errors.New("one of SOURCE and TARGET is a URL, the other a directory here"))
	}
	m.mirror.Upload = ftpclient.IsURL(args[1])
	url, dir := args[0], args[1]
	if m.mirror.Upload {
		url, dir = dir, url
	}
	target, err := ftpclient.ParseURL(url)
	if err != nil {
		return exitWith(exitUsage, err)
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	if _, err := m.engine(nil); err != nil { // the flags are right
		return err
	}
	root, err := m.open(dir)
	if err != nil {
		return exitWith(exitFailed, err)
	}
	defer closing(root)
	if err := m.prepare(ctx, cmd, target); err != nil {
		return err
	}
	return m.work(ctx, cmd, target, root)
}

// open opens the local directory. A source has to be there, and a target that is not is
// made, unless nothing is to be changed.
func (m *mirroring) open(dir string) (*os.Root, error) {
	if m.mirror.Upload || m.mirror.DryRun {
		return os.OpenRoot(dir)
	}
	return ftpclient.OpenDir(dir)
}

func (m *mirroring) work(ctx context.Context, cmd *cobra.Command, target *ftpclient.Target, root *os.Root) error {
	engine, err := m.engine(root)
	if err != nil {
		return err
	}
	s, err := m.dial(ctx)
	if err != nil {
		return m.ended(ctx, err)
	}
	m.mirror.Engine, m.mirror.Remote = engine, s.Path(target.Path)
	if err := m.begin(cmd); err != nil {
		s.Quit()
		return err
	}
	began := time.Now()
	results, err := m.mirror.Run(ctx, s, m.expect)
	m.meter.Close()
	if results == nil && err != nil {
		return m.ended(ctx, err)
	}
	return m.report(ctx, cmd, results, time.Since(began), err)
}
