package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/audit"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/backup"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge/kv"
)

// backupTime is how long an archive may take.
const backupTime = time.Hour

// archived is what backup tells.
type archived struct {
	File    string `json:"file"`
	Bytes   int64  `json:"bytes"`
	Members int    `json:"members"`
	backup.Head
}

func backupCommand() *cobra.Command {
	a := new(admin)
	var out, file string
	var force bool
	cmd := &cobra.Command{Use: "backup --out FILE", Short: "Write all that a server is into one archive", Args: cobra.NoArgs,
		Long: "Writes the configuration, what policies remember, users, certificates with their keys and accounts, and policy modules into one\n" +
			"archive: of a running server over its admin socket, or of a state directory on which none runs. The files that the server serves\n" +
			"are not in it, nor are logs. The archive holds secrets; it is made with mode 0600, and read back before it gets its name.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.form(); err != nil {
				return err
			}
			if _, err := os.Lstat(out); err == nil && !force {
				return exitWith(exitUsage, fmt.Errorf("%s is there already\n   = help: choose another name, or replace it with --force", out))
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), backupTime)
			defer cancel()
			got, err := a.archive(ctx, out, file)
			if err != nil {
				return told(err)
			}
			return a.show(cmd, got, func(w io.Writer) error {
				fmt.Fprintf(w, "%s  %d bytes, %d members, instance %s\n", oneLine(got.File), got.Bytes, got.Members, oneLine(got.Instance))
				printOutside(w, got.Outside)
				return nil
			})
		}}
	a.flags(cmd)
	cmd.Flags().StringVar(&out, "out", "", "the archive")
	cmd.Flags().StringVar(&file, "config", "", "the configuration file, where no server runs")
	cmd.Flags().BoolVar(&force, "force", false, "replace an archive that is there")
	_ = cmd.MarkFlagRequired("out") // it is there
	return cmd
}

func printOutside(w io.Writer, list []string) {
	for _, path := range list {
		fmt.Fprintf(w, "  not in it: %s, which the configuration names\n", oneLine(path))
	}
}

// archive writes an archive beside its name, reads it, and gives it its name.
func (a *admin) archive(ctx context.Context, out, file string) (*archived, error) {
	f, err := os.CreateTemp(filepath.Dir(out), ".edgeftp-backup-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = errors.Join(f.Close(), os.Remove(f.Name())) }() // both are done already if all went well
	n, err := a.client().Backup(ctx, f)
	if errors.Is(err, control.ErrUnreachable) {
		if _, statErr := os.Stat(a.stateDir); statErr != nil {
			return nil, err
		}
		if err = atRest(ctx, f, a.stateDir, file); err == nil {
			n, err = f.Seek(0, io.SeekCurrent)
		}
	}
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	got, err := backup.Read(f, backup.MaxSize, nil)
	if err != nil {
		return nil, fmt.Errorf("the archive that was written cannot be read: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close(), os.Rename(f.Name(), out)); err != nil {
		return nil, err
	}
	return &archived{File: out, Bytes: n, Members: len(got.Members), Head: got.Head}, nil
}

// atRest writes an archive of a state directory on which no server runs.
func atRest(ctx context.Context, w io.Writer, state, file string) error {
	conf := &config.Config{Instance: config.Instance{Name: config.DefaultName, StateDir: state}}
	var text *config.Source
	if file != "" {
		var err error
		if conf, err = config.Load(file); err != nil {
			return err
		}
		text = &config.Source{Path: file}
		if text.Text, err = config.Read(file); err != nil {
			return err
		}
	}
	s := backupSource(conf, text)
	path := filepath.Join(conf.Instance.StateDir, "state.db")
	if _, err := os.Stat(path); err == nil {
		store, err := openStore(conf.Instance.StateDir, kv.Options{})
		if err != nil {
			return err
		}
		defer func() { _ = store.Close() }() // nothing was changed
		s.Databases = append(s.Databases, backup.Database{Name: "state.db", Copy: store.Snapshot})
	}
	if head, err := audit.ReadHead(filepath.Join(conf.Instance.StateDir, "audit.head")); err == nil && head != nil {
		s.Audit = &backup.AuditHead{Seq: head.Seq, Hash: head.Hash}
	}
	return backup.Write(ctx, w, s)
}

func verifyArchiveCommand() *cobra.Command {
	a := &admin{output: "human"}
	var limit string
	cmd := &cobra.Command{Use: "verify FILE", Short: "Read an archive that backup wrote, and hold it against its sums", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.form(); err != nil {
				return err
			}
			most, err := parseMost(limit)
			if err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return exitWith(exitFailed, err)
			}
			defer func() { _ = f.Close() }() // opened for reading alone
			got, err := backup.Read(f, most, nil)
			if err != nil {
				return exitWith(exitChecks, fmt.Errorf("%s: %w", args[0], err))
			}
			return a.show(cmd, got, func(w io.Writer) error { printContents(w, got); return nil })
		}}
	cmd.Flags().StringVarP(&a.output, "output", "o", "human", "human or json")
	cmd.Flags().StringVar(&limit, "max-size", "", "bytes that the members may have together, such as 100GB (default 16GiB)")
	return cmd
}

func printContents(w io.Writer, c *backup.Contents) {
	fmt.Fprintf(w, "whole: %d members, %d bytes; of instance %s, by edgeftp %s, %s\n", len(c.Members), c.Size, oneLine(c.Instance), oneLine(c.Version),
		c.Time.Local().Format(time.DateTime))
	if c.Audit != nil {
		fmt.Fprintf(w, "audit log: record %d, sha256 %s\n", c.Audit.Seq, oneLine(c.Audit.Hash))
	}
	printOutside(w, c.Outside)
}

func parseMost(s string) (int64, error) {
	if s == "" {
		return backup.MaxSize, nil
	}
	n, err := config.ParseRate(s)
	if err != nil || n <= 0 {
		return 0, exitWith(exitUsage, fmt.Errorf("--max-size: %q is no size\n   = help: write it like 100GB or 1GiB", s))
	}
	return n, nil
}

func restoreCommand() *cobra.Command {
	a := new(admin)
	var t backup.Target
	var limit string
	var dry bool
	cmd := &cobra.Command{Use: "restore FILE", Short: "Bring back what backup wrote, whole or not at all", Args: cobra.ExactArgs(1),
		Long: "Brings an archive back: the state directory (--state-dir), and where they are asked for the directory of certificates that was\n" +
			"elsewhere (--certificates) and the configuration (--config-dir). All of it is read and verified before anything is put in place.\n" +
			"It is refused while a server uses the state directory, and where something is there already; with --force that is moved aside.",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := a.form(); err != nil {
				return err
			}
			if t.MaxSize, err = parseMost(limit); err != nil {
				return err
			}
			t.State = a.stateDir
			if err := a.idle(cmd.Context()); err != nil {
				return exitWith(exitFailed, err)
			}
			f, err := os.Open(args[0])
			if err != nil {
				return exitWith(exitFailed, err)
			}
			defer func() { _ = f.Close() }() // opened for reading alone
			got, err := backup.Restore(f, t, dry)
			switch {
			case errors.Is(err, backup.ErrArchive):
				return exitWith(exitChecks, fmt.Errorf("%s: %w\n   = nothing was restored", args[0], err))
			case err != nil:
				return exitWith(exitFailed, fmt.Errorf("%w\n   = nothing was restored", err))
			}
			return a.show(cmd, got, func(w io.Writer) error { printRestored(w, got, dry); return nil })
		}}
	a.flags(cmd)
	fl := cmd.Flags()
	fl.StringVar(&t.Certificates, "certificates", "", "where certificates go that were not in the state directory (certificates.acme.storage)")
	fl.StringVar(&t.Config, "config-dir", "", "where the configuration goes")
	fl.BoolVar(&t.Force, "force", false, "move aside what is there")
	fl.BoolVar(&dry, "dry-run", false, "verify, and say what would be done")
	fl.StringVar(&limit, "max-size", "", "bytes that the members may have together, such as 100GB (default 16GiB)")
	return cmd
}

func printRestored(w io.Writer, r *backup.Restored, dry bool) {
	put, aside := "restored", "moved aside to"
	if dry {
		put, aside = "would restore", "would move aside to"
	}
	for _, p := range r.Put {
		fmt.Fprintf(w, "%s  %s\n", put, oneLine(p))
	}
	for _, p := range r.Aside {
		fmt.Fprintf(w, "%s  %s\n", aside, oneLine(p))
	}
	for _, m := range r.Left {
		fmt.Fprintf(w, "left out  %s\n", oneLine(m))
	}
	fmt.Fprintf(w, "%d members, %d bytes, written %s\n", len(r.Members), r.Size, r.Time.Local().Format(time.DateTime))
	printOutside(w, r.Outside)
}

// idle refuses a state directory that a server uses: one that answers, or one that holds
// the database.
func (a *admin) idle(ctx context.Context) error {
	running := fmt.Errorf("a server uses the state directory %s\n   = help: stop it first; nothing was restored", a.stateDir)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := a.client().Status(ctx); !errors.Is(err, control.ErrUnreachable) {
		return running
	}
	if _, err := os.Stat(filepath.Join(a.stateDir, "state.db")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	store, err := kv.Open(filepath.Join(a.stateDir, "state.db"), kv.Options{LockWait: 200 * time.Millisecond})
	switch {
	case errors.Is(err, kv.ErrInUse):
		return running
	case err != nil:
		return nil // it may be why somebody restores
	}
	return store.Close()
}
