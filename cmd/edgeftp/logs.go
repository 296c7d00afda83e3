package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/policies/logfile"
	"github.com/edgeftp/edgeftp/policies/metrics"
)

// logs are the files that the server appends to. The zero value has none.
type logs struct {
	mu   sync.Mutex
	list []namedLog
}

// namedLog is one of them.
type namedLog struct {
	name, path string
	log        appended
	before     uint64 // lines that those lost which had the name earlier
}

// appended is a log in a file.
type appended interface {
	Reopen() error
	Lost() uint64
	Regained(func(lost uint64))
}

// add has a log opened again together with the others, in the place of the one that had
// its name. What it loses is told to the server's own log, which says so by itself.
func (l *logs) add(name, path string, log appended, told *slog.Logger) {
	if told != nil {
		log.Regained(func(lost uint64) { told.Warn("lines of a log were lost", "log", name, "file", path, "lines", lost) })
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	next := namedLog{name: name, path: path, log: log}
	i := slices.IndexFunc(l.list, func(old namedLog) bool { return old.name == name })
	if i < 0 {
		l.list = append(l.list, next)
		return
	}
	if l.list[i].log == log {
		return
	}
	next.before = l.list[i].before + l.list[i].log.Lost()
	l.list[i] = next
}

// remove forgets a log that is written no more.
func (l *logs) remove(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = slices.DeleteFunc(l.list, func(old namedLog) bool { return old.name == name })
}

// status tells of each log, after it was opened again if that is asked for.
func (l *logs) status(reopen bool) []control.LogFile {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := []control.LogFile{}
	for _, n := range l.list {
		f := control.LogFile{Name: n.name, File: n.path, Lost: n.before + n.log.Lost()}
		if reopen {
			if err := n.log.Reopen(); err != nil {
				f.Error = err.Error()
			}
		}
		out = append(out, f)
	}
	return out
}

// reopenLogs opens every log again, and says which could not be.
func (in *instance) reopenLogs() []control.LogFile {
	out := in.logs.status(true)
	for _, f := range out {
		if f.Error != "" {
			in.log.Error("a log cannot be opened again: it is written to where it is", "log", f.Name, "file", f.File, "error", f.Error)
		}
	}
	in.log.Info("the logs were opened again", "logs", len(out))
	return out
}

// followLogs has the logs of a configuration that is in force opened again with the
// others.
func (in *generation) followLogs() {
	for _, l := range []struct{ policy, name, file string }{{"accesslog", "access", in.conf.AccessLog.File}, {"eventlog", "events", in.conf.Events}} {
		log, ok := in.natives[l.policy].policy.(appended)
		if !ok {
			in.logs.remove(l.name)
			continue
		}
		in.logs.add(l.name, l.file, log, in.log)
	}
}

// tell tells how many lines found no room.
func (l *logs) tell(tell func(metrics.Sample)) {
	for _, f := range l.status(false) {
		tell(metrics.Sample{Name: "edgeftp_log_lines_lost_total", Help: "Lines that found no room in the file of a log.", Kind: metrics.Counter,
			Value: float64(f.Lost), Labels: []metrics.Label{{Name: "log", Value: f.Name}}})
	}
}

// output is where the server's own log goes: standard error, or a file from when that
// can be opened by the user who is to own it. A line that cannot be written is lost and
// counted; the next one that can be is preceded by one that says how many were.
type output struct {
	conf config.Log

	mu     sync.Mutex
	to     io.Writer
	file   *logfile.File // nil for standard error
	lost   uint64
	missed uint64 // since the last line that was written
}

func newOutput(conf config.Log, to io.Writer) *output { return &output{conf: conf, to: to} }

// open goes on in the file of the configuration, if it names one.
func (o *output) open() error {
	if o.conf.File == "" {
		return nil
	}
	f, err := logfile.Open(o.conf.File, 0o600)
	if err != nil {
		var told *fs.PathError
		if errors.As(err, &told) {
			err = told.Err
		}
		return exitWith(exitConfig, fmt.Errorf("the log %s cannot be opened: %w\n   = help: let the user that runs the server write there, or choose another telemetry.log.file", o.conf.File, err))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.to, o.file = f, f
	return nil
}

// Write implements io.Writer, for one line at a time. It never fails: who logs has
// something else to do than to look after the log.
func (o *output) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.missed > 0 && !o.put(o.notice()) {
		o.lost++
		o.missed++
		return len(line), nil
	}
	o.missed = 0
	if !o.put(line) {
		o.lost++
		o.missed++
	}
	return len(line), nil
}

func (o *output) put(line []byte) bool {
	n, err := o.to.Write(line)
	return err == nil && n == len(line)
}

// notice is the line that tells of those that were lost.
func (o *output) notice() []byte {
	var line bytes.Buffer
	slog.New(handler(o.conf, slog.LevelWarn, &line)).Warn("lines of a log were lost", "log", "server", "file", o.conf.File, "lines", o.missed)
	return line.Bytes()
}

// Reopen implements appended.
func (o *output) Reopen() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file == nil {
		return nil
	}
	return o.file.Reopen()
}

// Lost implements appended.
func (o *output) Lost() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lost
}

// Regained implements appended: this log says it itself.
func (o *output) Regained(func(lost uint64)) {}

// begin goes on in the log's file, and has it opened again with the others.
func (in *instance) begin(o *output) error {
	if err := o.open(); err != nil {
		return err
	}
	in.logs.add("server", o.conf.File, o, nil)
	return nil
}

func logsCommand() *cobra.Command {
	a := new(admin)
	list := func(cmd *cobra.Command, _ []string) error {
		return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return c.Logs(ctx) }, printLogs)
	}
	cmd := &cobra.Command{Use: "logs", Short: "Show and reopen the logs of a running server", Args: cobra.NoArgs, RunE: list}
	a.flags(cmd)
	cmd.AddCommand(a.levelCommand(), &cobra.Command{Use: "list", Short: "Show the logs, and what they have lost", Args: cobra.NoArgs, RunE: list},
		&cobra.Command{Use: "reopen", Short: "Open every log again under its name, after it was moved away", Args: cobra.NoArgs,
			Long: "Opens the server's own log, the event log, the access log and the audit log again under their names: what logrotate's postrotate\n" +
				"wants. One that cannot be opened is written to where it is, and the command exits with 5. SIGHUP does the same.",
			RunE: func(cmd *cobra.Command, _ []string) error {
				var files []control.LogFile
				err := a.do(cmd, func(ctx context.Context, c control.Client) (any, error) {
					var err error
					files, err = c.ReopenLogs(ctx)
					return files, err
				}, printLogs)
				if bad := slices.IndexFunc(files, func(f control.LogFile) bool { return f.Error != "" }); err == nil && bad >= 0 {
					return exitWith(exitChecks, fmt.Errorf("the log %s cannot be opened again\n   = help: let the user that runs the server write to its directory; until then it is written to where it is", oneLine(files[bad].Name)))
				}
				return err
			}})
	return cmd
}

func printLogs(w io.Writer, got any) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LOG\tFILE\tLOST LINES\tERROR")
	for _, f := range got.([]control.LogFile) {
		file := f.File
		if file == "" {
			file = "standard error"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", oneLine(f.Name), oneLine(file), f.Lost, dash(oneLine(f.Error)))
	}
	t.Flush()
}
