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

// putting is edgeftp put.
type putting struct {
	shipping
}

func putCommand() *cobra.Command {
	p := new(putting)
	cmd := &cobra.Command{Use: "put FILE... URL", Short: "Send files or directories to a server", Args: cobra.MinimumNArgs(2),
		Long: "Sends files to a server. The URL is a directory that there is, or ends with a slash, or is the name of the one file. FILE may be -,\n" +
			"the standard input. What has the name of a file is replaced.\n\n" +
			"With --recursive a FILE may be a directory, which goes with its name, or, if it ends with a slash, with what is in it.\n" +
			"Links are not followed. What was continued (--resume) is compared with its source afterwards.\n\n" + urls,
		Example: "  edgeftp put june.pdf ftp://anna@ftp.example.org/reports/\n" +
			"  edgeftp put --recursive --parallel 4 site/ ftp://anna@ftp.example.org/www/\n" +
			"  pg_dump shop | edgeftp put - ftp://backup@ftp.example.org/shop.sql",
		RunE: p.run}
	p.flags(cmd, "send directories with all that is in them")
	return cmd
}

// sending are the files of one local directory.
type sending struct {
	root *os.Root
	jobs []ftpclient.Job
}

func (p *putting) run(cmd *cobra.Command, args []string) error {
	files, last := args[:len(args)-1], args[len(args)-1]
	if !ftpclient.IsURL(last) {
		return exitWith(exitUsage, errors.New("the last argument of put is the URL to send to\n   = help: edgeftp put FILE... ftp://user@ftp.example.org/dir/"))
	}
	target, err := ftpclient.ParseURL(last)
	if err != nil {
		return exitWith(exitUsage, err)
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	for _, f := range files {
		if ftpclient.IsURL(f) || f == "-" && len(files) > 1 || f == "" {
			return exitWith(exitUsage, fmt.Errorf("%q is no file that can be sent with others", f))
		}
	}
	if err := p.prepare(ctx, cmd, target); err != nil {
		return err
	}
	if files[0] == "-" {
		return p.fromInput(ctx, cmd, target)
	}
	return p.fromFiles(ctx, cmd, files, target)
}

// fromInput sends the standard input.
func (p *putting) fromInput(ctx context.Context, cmd *cobra.Command, t *ftpclient.Target) error {
	if t.Folder || p.several() {
		return exitWith(exitUsage, errors.New("the standard input becomes one file, whose name the URL has, without --recursive, --resume, --verify and -o json"))
	}
	engine, err := p.engine(nil)
	if err != nil {
		return err
	}
	s, err := p.dial(ctx)
	if err != nil {
		return p.ended(ctx, err)
	}
	defer s.Quit()
	if err := p.begin(cmd); err != nil {
		return err
	}
	_, err = s.Store(s.Path(t.Path), false, engine.Paced(ctx, cmd.InOrStdin(), nil))
	p.meter.Close()
	return p.ended(ctx, err)
}

func (p *putting) fromFiles(ctx context.Context, cmd *cobra.Command, files []string, t *ftpclient.Target) error {
	if _, err := p.engine(nil); err != nil { // the flags are right
		return err
	}
	s, err := p.dial(ctx)
	if err != nil {
		return p.ended(ctx, err)
	}
	all, results, err := p.plan(ctx, s, files, t)
	for _, g := range all {
		defer closing(g.root)
	}
	if err == nil {
		if err = p.begin(cmd); err != nil {
			s.Quit()
			return err
		}
	}
	if err != nil {
		s.Quit()
		return p.ended(ctx, err)
	}
	began := time.Now()
	for _, g := range all {
		p.expect(g.jobs)
	}
	for _, g := range all {
		engine, err := p.engine(g.root)
		if err != nil {
			return err
		}
		results = append(results, engine.Run(ctx, s, g.jobs)...)
		s = nil
	}
	p.meter.Close()
	return p.report(ctx, cmd, results, time.Since(began), nil)
}

// plan finds out what is to be sent whereto, and makes directories at the server.
func (p *putting) plan(ctx context.Context, s *ftpclient.Session, files []string, t *ftpclient.Target) (all []sending, results []ftpclient.Result, err error) {
	remote := s.Path(t.Path)
	into := t.Folder || len(files) > 1
	if !into {
		entry, err := s.Stat(remote)
		var no *ftpclient.ReplyError
		if err != nil && !errors.As(err, &no) {
			return nil, nil, err
		}
		into = err == nil && entry.Kind == ftpclient.Dir
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return all, nil, &ftpclient.Local{Err: err}
		}
		to := remote
		if into {
			to = ftpclient.Join(remote, filepath.Base(filepath.Clean(f)))
		}
		switch {
		case info.IsDir() && !p.recursive:
			return all, nil, &ftpclient.Local{Err: fmt.Errorf("%s is a directory\n   = help: --recursive sends all that is in it", f)}
		case info.IsDir():
			if into && os.IsPathSeparator(f[len(f)-1]) || filepath.Clean(f) == "." {
				to = remote
			}
			g, skipped, err := p.tree(ctx, s, f, to)
			if g.root != nil {
				all = append(all, g)
			}
			if err != nil {
				return all, nil, err
			}
			results = append(results, skipped...)
		default:
			g, err := single(f, to, info)
			if err != nil {
				return all, nil, err
			}
			all = append(all, g)
		}
	}
	return all, results, nil
}

// single is one file, which may be a link to elsewhere: it was named.
func single(f, to string, info os.FileInfo) (sending, error) {
	real, err := filepath.EvalSymlinks(f)
	if err != nil {
		return sending{}, &ftpclient.Local{Err: err}
	}
	root, err := os.OpenRoot(filepath.Dir(real))
	if err != nil {
		return sending{}, &ftpclient.Local{Err: err}
	}
	return sending{root, []ftpclient.Job{{Upload: true, Remote: to, Local: filepath.Base(real), Size: info.Size(), ModTime: info.ModTime()}}}, nil
}

// tree is a directory with all that is in it.
func (p *putting) tree(ctx context.Context, s *ftpclient.Session, dir, to string) (g sending, skipped []ftpclient.Result, err error) {
	if g.root, err = os.OpenRoot(dir); err != nil {
		return g, nil, &ftpclient.Local{Err: err}
	}
	tree, err := ftpclient.WalkLocal(ctx, g.root)
	if err != nil {
		return g, nil, err
	}
	if to != "" && to != "/" {
		if err := s.MakeDir(to); err != nil {
			return g, nil, err
		}
	}
	for i := range tree.Items {
		item := &tree.Items[i]
		remote := ftpclient.Join(to, item.Path)
		if err := ftpclient.Sendable(item.Path); err != nil {
			skipped = append(skipped, ftpclient.Result{Op: "put", Local: item.Path, Status: ftpclient.Skipped, Err: err, Error: err.Error()})
			continue
		}
		switch item.Kind {
		case ftpclient.Dir:
			if err := s.MakeDir(remote); err != nil {
				return g, nil, err
			}
		case ftpclient.File:
			g.jobs = append(g.jobs, ftpclient.Job{Upload: true, Remote: remote, Local: item.Path, Size: item.Size, ModTime: item.ModTime})
		default:
			skipped = append(skipped, ftpclient.Result{Op: "put", Local: path.Join(dir, item.Path), Status: ftpclient.Skipped, Error: "it is a " + string(item.Kind) + ", which is not followed"})
		}
	}
	return g, skipped, nil
}
