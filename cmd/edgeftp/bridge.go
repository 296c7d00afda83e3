package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/bridge"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
	"github.com/edgeftp/edgeftp/edge/quicnet"
)

// ftpqPort is the port of an ftpq:// URL that names none.
const ftpqPort = "990"

// The times of the bridge's connection: how long nothing may answer to begin with, and
// later, until it is given up and another one made.
const (
	bridgeHandshake = 5 * time.Second
	bridgeIdle      = 20 * time.Second
)

// bridging is edgeftp bridge.
type bridging struct {
	trusting
	listen      string
	to          string
	sessions    int
	connections int
	keep        time.Duration
	patience    time.Duration
	verbose     bool
	quiet       bool
	output      string
}

func bridgeCommand() *cobra.Command {
	b := new(bridging)
	cmd := &cobra.Command{Use: "bridge --to ftpq://HOST[:PORT]", Short: "Let ordinary FTP clients reach a server over QUIC", Args: cobra.NoArgs,
		Long: "Listens on this machine, and takes any FTP client that connects there to a server that has FTP over QUIC (docs/ftpq.md). All clients\n" +
			"travel on one QUIC connection, which is kept between them. They log in as they would at the server itself. Until they reach the bridge\n" +
			"they speak in the clear, and so it listens on loopback addresses alone; from there on TLS 1.3 protects everything, and the server's\n" +
			"certificate is checked.\n\n" +
			"Where the connection is lost the bridge makes another one, logs in again and has binary downloads and uploads go on, if the file is the\n" +
			"same; the client does not notice. With --connections, large binary downloads come in segments over several connections at once, each with\n" +
			"a session of the same user: on ways that lose packets this is several times faster. On a terminal the bridge shows its connection and what\n" +
			"runs, below the log. docs/bridge.md tells what else it does.",
		Example: "  edgeftp bridge --to ftpq://ftp.example.org\n" +
			"  edgeftp bridge --listen 127.0.0.1:2122 --to ftpq://ftp.example.org:8443 --ca-file ca.pem --verbose\n" +
			"  edgeftp bridge --to ftpq://ftp.example.org --connections 4",
		RunE: b.run}
	f := cmd.Flags()
	f.StringVar(&b.listen, "listen", "127.0.0.1:2121", "HOST:PORT to listen on, of this machine's loopback addresses; port 0 is one that is free")
	f.StringVar(&b.to, "to", "", "the server, as ftpq://HOST[:PORT]; the port is of UDP, and 990 if none is named")
	f.IntVar(&b.sessions, "sessions", 32, "so many clients at the same time, 1 to 1000; the server has a limit of its own")
	f.IntVar(&b.connections, "connections", 1, "fetch large files in segments over so many connections, 1 to 8: for ways that lose packets")
	f.DurationVar(&b.keep, "keep", 5*time.Minute, "keep the connection so long when nobody uses it")
	f.DurationVar(&b.patience, "reconnect", 2*time.Minute, "wait so long for a lost connection to come back, before a client is told of it")
	f.BoolVarP(&b.verbose, "verbose", "v", false, "show the dialogue with each client, with the number of its session")
	f.BoolVarP(&b.quiet, "quiet", "q", false, "show no progress on a terminal; the log is written all the same")
	f.StringVarP(&b.output, "output", "o", "human", "human or json: the form of the log")
	b.trusting.flags(cmd)
	_ = cmd.MarkFlagRequired("to")                                                                                                      // it is there
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"human", "json"}, cobra.ShellCompDirectiveNoFileComp)) // likewise
	return cmd
}

// check refuses flags that make no sense.
func (b *bridging) check() error {
	switch {
	case b.output != "human" && b.output != "json":
		return fmt.Errorf("--output is %q; it can be human or json", b.output)
	case b.sessions < 1 || b.sessions > 1000:
		return fmt.Errorf("--sessions is %d; it is 1 to 1000", b.sessions)
	case b.connections < 1 || b.connections > 8:
		return fmt.Errorf("--connections is %d; it is 1 to 8", b.connections)
	case b.keep <= 0:
		return errors.New("--keep is not positive\n   = help: write it like 30s or 5m")
	case b.patience <= 0:
		return errors.New("--reconnect is not positive\n   = help: write it like 30s or 2m")
	}
	return loopback(b.listen)
}

// loopback refuses an address to listen on that others can reach: passwords come in there in
// the clear.
func loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--listen: %q is no HOST:PORT\n   = help: 127.0.0.1:2121 or [::1]:2121", address)
	}
	ip, err := netip.ParseAddr(host)
	if err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost") {
		return nil
	}
	return fmt.Errorf("--listen: %s is no loopback address, and what comes in here is not protected: others would read passwords and files\n"+
		"   = help: listen on 127.0.0.1 or [::1], and run a bridge on each machine that has clients", escape.Text(address))
}

// bridgeTarget reads --to.
func bridgeTarget(text string) (address, host string, err error) {
	u, err := url.Parse(text)
	if err != nil || !strings.EqualFold(u.Scheme, "ftpq") || u.Opaque != "" {
		return "", "", fmt.Errorf("--to: that is no server of FTP over QUIC\n   = help: write it as ftpq://HOST or ftpq://HOST:PORT; a server of FTPS needs no bridge")
	}
	switch {
	case u.User != nil:
		return "", "", errors.New("--to names a user, and each client of the bridge logs in by itself\n   = help: write ftpq://HOST, and give user and password to the client")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", "", errors.New("--to names more than a server\n   = help: write ftpq://HOST or ftpq://HOST:PORT; clients choose their directories")
	case u.Hostname() == "":
		return "", "", errors.New("--to names no host\n   = help: write it as ftpq://HOST or ftpq://HOST:PORT")
	}
	port := u.Port()
	if port == "" {
		port = ftpqPort
	}
	if n, err := net.LookupPort("udp", port); err != nil || n == 0 {
		return "", "", fmt.Errorf("--to: %q is no port; it is 1 to 65535", port)
	}
	return net.JoinHostPort(u.Hostname(), port), u.Hostname(), nil
}

func (b *bridging) run(cmd *cobra.Command, _ []string) error {
	if err := b.check(); err != nil {
		return exitWith(exitUsage, err)
	}
	address, host, err := bridgeTarget(b.to)
	if err != nil {
		return exitWith(exitUsage, err)
	}
	trust, err := b.trusting.config(cmd)
	if err != nil {
		return err
	}
	parent, stop := interruptible(cmd)
	defer stop()
	l, err := new(net.ListenConfig).Listen(parent, "tcp", b.listen)
	if err != nil {
		return exitWith(exitFailed, fmt.Errorf("--listen: %w\n   = help: another program may be there: choose another port, or 0 for one that is free", err))
	}
	colour, err := coloured(cmd, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(parent)
	defer end()
	out, block := cmd.ErrOrStderr(), b.block(cmd)
	if block != nil {
		defer block.Close()
		out = block
	}
	conf := bridge.Config{Sessions: b.sessions, Connections: b.connections, Keep: b.keep, Patience: b.patience, Log: slog.New(handler(config.Log{Format: b.output}, slog.LevelInfo, out))}
	conf.Dial = func(ctx context.Context) (bridge.Link, error) {
		c, err := quicnet.Dial(ctx, quicnet.DialConfig{Addr: address, TLS: trust, Handshake: bridgeHandshake, Idle: bridgeIdle})
		if err != nil {
			return nil, unbridged(address, host, err)
		}
		return bridge.Over(c), nil
	}
	if b.verbose {
		conf.Trace = traced(out)
	}
	br := bridge.New(ctx, conf)
	return b.serve(ctx, end, br, l, conf.Log, func() { b.show(block, br, palette(colour)) })
}

// serve makes the connection once, so that a mistake shows at once, and then serves.
func (b *bridging) serve(ctx context.Context, end func(), br *bridge.Bridge, l net.Listener, log *slog.Logger, ready func()) error {
	refused := br.Probe(ctx)
	if refused != nil {
		end()
	} else {
		log.Info("bridge ready", "listen", l.Addr().String(), "to", b.to)
		ready()
	}
	err := br.Serve(l)
	switch {
	case refused != nil && ctx.Err() != nil && errors.Is(refused, context.Canceled):
		return exitWith(exitInterrupted, errors.New("interrupted"))
	case refused != nil:
		return exitWith(bridgeExit(refused), refused)
	}
	return exitWith(exitFailed, err)
}

// traced shows the dialogues of all sessions.
func traced(w io.Writer) func(uint64, bool, string) {
	var mu sync.Mutex
	return func(session uint64, sent bool, text string) {
		mark := "<"
		if sent {
			mark = ">"
		}
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, "%d %s %s\n", session, mark, text)
	}
}

// unbridged is why there is no connection, with what helps.
func unbridged(address, host string, err error) error {
	text, help := strings.TrimPrefix(err.Error(), "quicnet: "), ""
	switch {
	case errors.Is(err, quicnet.ErrSilent):
		text = fmt.Sprintf("no answer over UDP at %s for %v: UDP may be blocked on the way, and FTPS over TCP is the way out; or no server of FTP over QUIC listens there", address, bridgeHandshake)
		help = fmt.Sprintf("for one file, without a bridge: edgeftp get ftps://%s/..., or ftp://%s/... for AUTH TLS", host, host)
	case errors.Is(err, quicnet.ErrProtocol):
		help = "another port may be the one of FTP over QUIC, or edgeftp get ftps://" + host + "/... does without it"
	case errors.Is(err, quicnet.ErrCertificate):
		help = "the server may be another one; --ca-file FILE trusts an authority of your own; a development server has STATE/ca.pem"
	}
	if help != "" {
		text += "\n   = help: " + help
	}
	return fmt.Errorf("%s%w", text, silently{err})
}

// silently is an error that is there to be found and not to be read.
type silently struct{ err error }

// Error says nothing.
func (silently) Error() string { return "" }

// Unwrap returns the error.
func (s silently) Unwrap() error { return s.err }

// bridgeExit is the exit code of an error of the connection.
func bridgeExit(err error) int {
	var dns *net.DNSError
	if errors.Is(err, quicnet.ErrSilent) || errors.Is(err, quicnet.ErrRefused) || errors.As(err, &dns) {
		return exitUnreachable
	}
	return exitFailed
}
