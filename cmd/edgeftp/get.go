package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/ftpclient"
)

// urls is what each of the client's commands says of URLs.
const urls = "A URL is ftp://[USER[:PASSWORD]@]HOST[:PORT]/PATH, with ftps:// for a server that begins with TLS (port 990). The path begins in\n" +
	"the directory of the login; two slashes in front of it name an absolute one. The connection is protected by TLS, and the\n" +
	"certificate checked, or there is none. A password in a URL is seen by others on this machine: --password-file, the netrc file\n" +
	"($NETRC or ~/.netrc, mode 0600) and the question on the terminal keep it to yourself."

// getting is edgeftp get.
type getting struct {
	shipping
}

func getCommand() *cobra.Command {
	g := new(getting)
	cmd := &cobra.Command{Use: "get URL... [TO]", Short: "Load files or directories from a server", Args: cobra.MinimumNArgs(1),
		Long: "Loads files from a server. TO is a directory that there is, or ends with a slash, or is the name of the one file; - is the standard\n" +
			"output. Without it files come into this directory. A file appears when it is whole, and replaces what has its name.\n\n" +
			"With --recursive a URL may be a directory. It comes into TO with its name, or, if the URL ends with a slash, what is in it does.\n" +
			"Links are not followed, and names that would lead elsewhere are left away.\n\n" + urls,
		Example: "  edgeftp get ftp://anna@ftp.example.org/reports/june.pdf\n" +
			"  edgeftp get --resume --verify ftp://ftp.example.org/pub/disk.iso images/\n" +
			"  edgeftp get --ca-file .edgeftp/ca.pem --recursive ftp://dev@127.0.0.1:2121/in/ .",
		RunE: g.run}
	g.flags(cmd, "load directories with all that is in them")
	return cmd
}

func (g *getting) run(cmd *cobra.Command, args []string) error {
	to := ""
	if last := args[len(args)-1]; !ftpclient.IsURL(last) {
		to, args = last, args[:len(args)-1]
	}
	targets, err := oneServer(args)
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		return exitWith(exitUsage, errors.New("get needs a URL\n   = help: edgeftp get ftp://user@ftp.example.org/dir/file"))
	}
	for _, t := range targets {
		if t.Folder && !g.recursive {
			return exitWith(exitUsage, fmt.Errorf("%s is a directory\n   = help: --recursive loads all that is in it; edgeftp ls shows it", t))
		}
	}
	dir, name, err := destination(to, len(targets) > 1 || g.recursive)
	if err != nil {
		return exitWith(exitUsage, err)
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	if err := g.prepare(ctx, cmd, targets[0]); err != nil {
		return err
	}
	if to == "-" {
		return g.toOutput(ctx, cmd, targets)
	}
	return g.toFiles(ctx, cmd, targets, dir, name)
}

// destination reads TO: a directory, and the name of the one file if it has another
// one there.
func destination(to string, several bool) (dir, name string, err error) {
	if to == "" || to == "-" {
		return ".", "", nil
	}
	info, err := os.Stat(to)
	switch {
	case err == nil && info.IsDir():
		return to, "", nil
	case err == nil && several:
		return "", "", fmt.Errorf("%s is no directory", to)
	case several || os.IsPathSeparator(to[len(to)-1]):
		return to, "", nil
	}
	return filepath.Dir(to), filepath.Base(to), nil
}

// toOutput writes one file to the standard output.
func (g *getting) toOutput(ctx context.Context, cmd *cobra.Command, targets []*ftpclient.Target) error {
	if len(targets) > 1 || g.several() {
		return exitWith(exitUsage, errors.New("to the standard output goes one file, without --recursive, --resume, --verify and -o json"))
	}
	engine, err := g.engine(nil)
	if err != nil {
		return err
	}
	s, err := g.dial(ctx)
	if err != nil {
		return g.ended(ctx, err)
	}
	defer s.Quit()
	file := s.Path(targets[0].Path)
	size, err := s.Size(file)
	if err != nil {
		return g.ended(ctx, err)
	}
	if err := g.begin(cmd); err != nil {
		return err
	}
	g.expect([]ftpclient.Job{{Remote: file, Size: size}})
	_, err = s.Retrieve(file, 0, size, engine.Paced(ctx, nil, cmd.OutOrStdout()))
	g.meter.Close()
	return g.ended(ctx, err)
}

func (g *getting) toFiles(ctx context.Context, cmd *cobra.Command, targets []*ftpclient.Target, dir, name string) error {
	root, err := openDestination(dir, g.recursive)
	if err != nil {
		return exitWith(exitFailed, err)
	}
	defer closing(root)
	engine, err := g.engine(root)
	if err != nil {
		return err
	}
	s, err := g.dial(ctx)
	if err != nil {
		return g.ended(ctx, err)
	}
	jobs, results, err := g.plan(s, targets, root, name)
	if err != nil {
		s.Quit()
		return g.ended(ctx, err)
	}
	if err := g.begin(cmd); err != nil {
		s.Quit()
		return err
	}
	began := time.Now()
	g.expect(jobs)
	results = append(results, engine.Run(ctx, s, jobs)...)
	g.meter.Close()
	return g.report(ctx, cmd, results, time.Since(began), nil)
}

// openDestination opens the directory that nothing is to leave.
func openDestination(dir string, create bool) (*os.Root, error) {
	if create || os.IsPathSeparator(dir[len(dir)-1]) {
		return ftpclient.OpenDir(dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("the directory cannot be opened: %w", err)
	}
	return root, nil
}

// plan finds out which files are to be loaded.
func (g *getting) plan(s *ftpclient.Session, targets []*ftpclient.Target, root *os.Root, name string) (jobs []ftpclient.Job, results []ftpclient.Result, err error) {
	for _, t := range targets {
		remote := s.Path(t.Path)
		local := name
		if local == "" {
			local = path.Base(remote)
		}
		if !t.Folder || !g.recursive { // the name becomes one here
			if err := ftpclient.CheckName(local); err != nil {
				return nil, nil, fmt.Errorf("%w\n   = help: name the file that it is to become", err)
			}
		}
		if g.recursive {
			entry, err := s.Stat(remote)
			if err != nil {
				return nil, nil, err
			}
			if entry.Kind == ftpclient.Dir {
				more, skipped, err := g.below(s, t, remote, root)
				if err != nil {
					return nil, nil, err
				}
				jobs, results = append(jobs, more...), append(results, skipped...)
				continue
			}
		}
		jobs = append(jobs, ftpclient.Job{Remote: remote, Local: local, Size: ftpclient.Unknown})
	}
	return jobs, results, nil
}

// below plans a directory, and makes those that are in it.
func (g *getting) below(s *ftpclient.Session, t *ftpclient.Target, remote string, root *os.Root) (jobs []ftpclient.Job, skipped []ftpclient.Result, err error) {
	tree, err := s.Walk(remote)
	if err != nil {
		return nil, nil, err
	}
	top := "."
	if !t.Folder {
		top = path.Base(remote)
	}
	if err := root.MkdirAll(top, 0o777); err != nil { // less the umask
		return nil, nil, &ftpclient.Local{Err: err}
	}
	for i := range tree.Items {
		item := &tree.Items[i]
		local := path.Join(top, item.Path)
		if item.Kind == ftpclient.Dir {
			if err := root.MkdirAll(local, 0o777); err != nil { // likewise
				return nil, nil, &ftpclient.Local{Err: err}
			}
			continue
		}
		jobs = append(jobs, ftpclient.Job{Remote: ftpclient.Join(remote, item.Path), Local: local, Size: item.Size, ModTime: item.ModTime})
	}
	return jobs, tree.Skipped, nil
}
