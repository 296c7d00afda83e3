package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/ftpclient"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/progress"
)

// visitor is what the commands that are clients of a server have in common.
type visitor struct {
	trusting
	tls          bool
	plaintext    int
	user         string
	passwordFile string
	timeout      time.Duration
	foreignPASV  bool
	verbose      bool
	output       string

	conf ftpclient.Config // of the server of this command line
}

// flags adds what all of them take.
func (r *visitor) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&r.tls, "tls", true, "protect the connection, or give up; ftps:// URLs begin with TLS, others ask for it (AUTH TLS)")
	f.CountVar(&r.plaintext, "insecure-plaintext", "do without any protection; for a server on another machine it has to be said twice")
	r.trusting.flags(cmd)
	f.StringVar(&r.user, "user", "", "log in as this user (default: the URL's, else that of the netrc file, else anonymous)")
	f.StringVar(&r.passwordFile, "password-file", "", "read the password from the first line of a file")
	f.DurationVar(&r.timeout, "timeout", ftpclient.Timeout, "how long the server may be silent")
	f.BoolVar(&r.foreignPASV, "foreign-pasv", false, "open data connections to whatever address the server names")
	f.BoolVarP(&r.verbose, "verbose", "v", false, "show the dialogue with the server")
	f.StringVarP(&r.output, "output", "o", "human", "human or json")
	_ = cmd.MarkFlagFilename("password-file") // it is there
}

// prepare learns from the flags and a URL how to log in.
func (r *visitor) prepare(ctx context.Context, cmd *cobra.Command, t *ftpclient.Target) error {
	if r.output != "human" && r.output != "json" {
		return exitWith(exitUsage, fmt.Errorf("--output is %q; it can be human or json", r.output))
	}
	if r.timeout <= 0 {
		return exitWith(exitUsage, errors.New("--timeout is not positive\n   = help: write it like 30s or 2m"))
	}
	if err := r.protect(cmd, t); err != nil {
		return err
	}
	if err := r.credentials(ctx, cmd, t); err != nil {
		return err
	}
	r.conf.Target, r.conf.Timeout, r.conf.ForeignPASV = t, r.timeout, r.foreignPASV
	if r.verbose {
		w := cmd.ErrOrStderr()
		r.conf.Trace = func(sent bool, text string) {
			mark := "<"
			if sent {
				mark = ">"
			}
			fmt.Fprintln(w, mark, text)
		}
	}
	return nil
}

// protect decides on TLS, and refuses to do without where a password would be seen.
func (r *visitor) protect(cmd *cobra.Command, t *ftpclient.Target) error {
	if !r.tls && r.plaintext == 0 {
		return exitWith(exitUsage, errors.New("--tls=false is not enough to send passwords and files in the clear\n   = help: --insecure-plaintext does without protection"))
	}
	if r.plaintext > 0 {
		if t.Security == ftpclient.Implicit {
			return exitWith(exitUsage, errors.New("ftps:// is TLS, and --insecure-plaintext does without\n   = help: name the server by ftp://"))
		}
		if !t.Loopback() && r.plaintext < 2 {
			return exitWith(exitUsage, fmt.Errorf("--insecure-plaintext: %s is not this machine: everybody on the way can read the password and the files, and change them\n"+
				"   = help: say --insecure-plaintext twice if that is meant", escape.Text(t.Host)))
		}
		t.Security = ftpclient.Plain
		fmt.Fprintln(cmd.ErrOrStderr(), "warning: nothing is protected: neither the password nor the files (--insecure-plaintext)")
		return nil
	}
	var err error
	r.conf.TLS, err = r.config(cmd)
	return err
}

// credentials finds user and password: flags, then the URL, then the netrc file, then
// the terminal. Nobody is anonymous.
func (r *visitor) credentials(ctx context.Context, cmd *cobra.Command, t *ftpclient.Target) error {
	if r.user != "" && t.User != "" && r.user != t.User {
		return exitWith(exitUsage, errors.New("--user and the URL name two users\n   = help: name one"))
	}
	user := cmp.Or(r.user, t.User)
	if r.passwordFile != "" {
		if t.Password != nil || user == "" {
			return exitWith(exitUsage, errors.New("--password-file needs a user, by --user or in the URL, and no password in the URL"))
		}
		password, err := filePassword("--password-file", r.passwordFile)
		if err != nil {
			return exitWith(exitFailed, err)
		}
		r.conf.User, r.conf.Password = user, password
		return nil
	}
	if t.Password != nil {
		r.conf.User, r.conf.Password = user, *t.Password
		return nil
	}
	login, err := ftpclient.Netrc(t.Host, user)
	if err != nil {
		return exitWith(exitFailed, err)
	}
	switch {
	case login != nil && login.User != "":
		r.conf.User, r.conf.Password = login.User, login.Password
	case user == "" || user == "anonymous" || user == "ftp":
		r.conf.User, r.conf.Password = user, "anonymous@"
	default:
		r.conf.User = user
		r.conf.Password, err = askPassword(ctx, cmd.ErrOrStderr(), fmt.Sprintf("password of %s at %s: ", escape.Text(user), escape.Text(t.Host)), false)
		if err != nil {
			return exitWith(exitFailed, err)
		}
	}
	return nil
}

// dial logs in.
func (r *visitor) dial(ctx context.Context) (*ftpclient.Session, error) {
	return ftpclient.Dial(ctx, r.conf)
}

// interruptible ends with an interrupt, whatever is waited for.
func interruptible(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
}

// ended gives an error of the client its exit code, and help where there is some.
func (r *visitor) ended(ctx context.Context, err error) error {
	var certificate *tls.CertificateVerificationError
	var login *ftpclient.LoginError
	var differs *ftpclient.Mismatch
	var header tls.RecordHeaderError
	help := func(text string) error { return fmt.Errorf("%w\n   = help: %s", err, text) }
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return exitWith(exitInterrupted, errors.New("interrupted"))
	case ftpclient.NoServer(err):
		return exitWith(exitUnreachable, err)
	case errors.As(err, &certificate):
		return exitWith(exitFailed, help("the server may be another one; --ca-file FILE trusts an authority of your own; a development server has STATE/ca.pem"))
	case errors.As(err, &login):
		return exitWith(exitFailed, help("is the user right? --user, --password-file or the netrc file say who logs in"))
	case errors.As(err, &header):
		return exitWith(exitFailed, help("the server does not begin with TLS: name it by ftp://, not ftps://"))
	case errors.As(err, &differs):
		return exitWith(exitChecks, err)
	}
	return exitWith(exitFailed, err)
}

// moving is what the commands that move files have in common.
type moving struct {
	visitor
	quiet     bool
	progress  string
	limitRate string
	parallel  int
	retries   int
	resume    bool
	verify    bool
	times     bool

	meter *progress.Meter
}

func (m *moving) flags(cmd *cobra.Command) {
	m.visitor.flags(cmd)
	f := cmd.Flags()
	f.BoolVarP(&m.quiet, "quiet", "q", false, "say nothing but errors")
	f.StringVar(&m.progress, "progress", "auto", "auto (a line on a terminal), plain, json or none; it goes to the standard error")
	f.StringVar(&m.limitRate, "limit-rate", "", "limit all connections together, such as 10MB for ten million bytes a second")
	f.IntVar(&m.parallel, "parallel", 1, "so many sessions at once, each with its own login; at most 16")
	f.IntVar(&m.retries, "retries", 3, "try a file so often again after an error that may pass, with pauses of 1 s, 2 s, 4 s and so on")
	f.BoolVar(&m.resume, "resume", false, "continue what an earlier run has left incomplete, and leave what can be continued")
	f.BoolVar(&m.verify, "verify", false, "compare SHA-256 sums (HASH, XSHA256) behind each file, or sizes where the server has no sums")
	f.BoolVar(&m.times, "times", true, "give copies the times of their sources")
	for flag, words := range map[string][]string{"progress": {"auto", "plain", "json", "none"}, "output": {"human", "json"}} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)) // both are there
	}
}

// shipping are the words of get and put, which move what is named, and directories if asked.
type shipping struct {
	moving
	recursive bool
}

func (s *shipping) flags(cmd *cobra.Command, recursive string) {
	s.moving.flags(cmd)
	cmd.Flags().BoolVarP(&s.recursive, "recursive", "r", false, recursive)
}

// several reports whether words are given that one stream of bytes has no use for.
func (s *shipping) several() bool { return s.recursive || s.resume || s.verify || s.output == "json" }

// engine makes what moves files below root.
func (m *moving) engine(root *os.Root) (*ftpclient.Engine, error) {
	e := &ftpclient.Engine{Dial: m.dial, Root: root, Parallel: m.parallel, Retries: m.retries, Resume: m.resume, Verify: m.verify, Times: m.times, Watch: m}
	if m.parallel < 1 || m.parallel > 16 {
		return nil, exitWith(exitUsage, fmt.Errorf("--parallel is %d; it is 1 to 16", m.parallel))
	}
	if m.retries < 0 || m.retries > 100 {
		return nil, exitWith(exitUsage, fmt.Errorf("--retries is %d; it is 0 to 100", m.retries))
	}
	if m.limitRate != "" {
		n, err := config.ParseRate(m.limitRate)
		if err != nil {
			return nil, exitWith(exitUsage, fmt.Errorf("--limit-rate: %w", err))
		}
		e.Limit = ftpclient.Limiter(n)
	}
	return e, nil
}

// begin starts to show how it goes.
func (m *moving) begin(cmd *cobra.Command) error {
	w := cmd.ErrOrStderr()
	mode := progress.Mode(m.progress)
	switch m.progress {
	case "auto":
		mode = progress.None
		if terminal(w) && !m.quiet && !m.verbose && m.output != "json" {
			mode = progress.Line
		}
	case "plain", "json", "none":
	default:
		return exitWith(exitUsage, fmt.Errorf("--progress is %q; it can be auto, plain, json or none", m.progress))
	}
	m.meter = progress.Start(w, mode, func() int { return columns(w) })
	return nil
}

// columns is how wide a terminal is.
func columns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil {
			return n
		}
	}
	return 80
}

// Began implements ftpclient.Watch.
func (m *moving) Began(j ftpclient.Job) { m.meter.Began(j.Remote) }

// Moved implements ftpclient.Watch.
func (m *moving) Moved(n int) { m.meter.Moved(n) }

// Ended implements ftpclient.Watch.
func (m *moving) Ended(r ftpclient.Result) {
	m.meter.Ended(r.Status == ftpclient.Failed, resultLine(&r), r)
}

// expect tells the meter what there is to do.
func (m *moving) expect(jobs []ftpclient.Job) {
	var sum int64
	for i := range jobs {
		sum += max(jobs[i].Size, 0)
	}
	m.meter.Expect(len(jobs), sum)
}

// writeJSON writes a value as all commands do.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(escape.JSON(w))
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
