package ftpclient

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
)

// Timeout is how long a Session waits for a reply, a connection, or the next bytes of a
// data connection, unless Config says otherwise.
const Timeout = 30 * time.Second

// maxMarks is how many preliminary replies (1xx) may come in front of a final one.
const maxMarks = 100

// Config is what a Session needs to begin.
type Config struct {
	// Target says where to connect to and how it is protected. Its user and password are
	// not looked at.
	Target *Target
	// User and Password log in; an empty user is anonymous.
	User     string
	Password string
	// TLS has what certificates are judged by; nil is the system's authorities. ServerName,
	// if it is empty, becomes the target's host.
	TLS *tls.Config
	// Timeout bounds every wait; 0 is the constant Timeout.
	Timeout time.Duration
	// ForeignPASV connects to whatever address a reply to PASV names. Without it only
	// the server's own address is taken.
	ForeignPASV bool
	// MaxEntries bounds how many names one listing may have; 0 is 1,000,000.
	MaxEntries int
	// MaxListing bounds one listing, and the paths of one tree, in bytes; 0 is 256 MiB.
	MaxListing int
	// Trace, if set, is told every command, without the password, and every reply. It is
	// called by the goroutine that uses the Session.
	Trace func(sent bool, text string)
}

// A Session is one login at a server. One goroutine uses it at a time. After an error
// that is no ReplyError it is of no use any more.
type Session struct {
	conf     Config
	ctx      context.Context
	stop     func() bool // of watching ctx
	raw      net.Conn
	conn     net.Conn // raw, or TLS over it
	in       *bufio.Reader
	tls      *tls.Config // of data connections; nil without protection
	tickets  *tickets
	features map[string]string
	noEPSV   bool
	home     string // the directory of the login; empty if the server does not say
	lost     error  // why it cannot be used any more

	// Resumed says that the last data connection resumed a TLS session.
	Resumed bool

	mu   sync.Mutex
	data net.Conn // the one that is open, for an end of ctx
}

// Dial connects, protects the connection, logs in, and asks what the server can do. The
// session ends with ctx.
func Dial(ctx context.Context, conf Config) (*Session, error) {
	if conf.Timeout <= 0 {
		conf.Timeout = Timeout
	}
	if conf.MaxEntries <= 0 {
		conf.MaxEntries = 1_000_000
	}
	if conf.MaxListing <= 0 {
		conf.MaxListing = 256 << 20
	}
	if conf.User == "" {
		conf.User, conf.Password = "anonymous", "anonymous@"
	}
	for what, text := range map[string]string{"the user's name": conf.User, "the password": conf.Password} {
		if err := checkArgument(what, text); err != nil {
			return nil, refuse("%s holds a character that cannot be sent", what)
		}
	}
	dialer := &net.Dialer{Timeout: conf.Timeout}
	raw, err := dialer.DialContext(ctx, "tcp", conf.Target.Address())
	if err != nil {
		return nil, &Unreachable{err}
	}
	s := &Session{conf: conf, ctx: ctx, raw: raw, conn: raw, in: bufio.NewReaderSize(raw, 4<<10)}
	s.stop = context.AfterFunc(ctx, s.hangUp)
	if err := s.begin(); err != nil {
		s.Close()
		return nil, s.because(err)
	}
	return s, nil
}

// Unreachable is the error of a server that takes no connection.
type Unreachable struct {
	// Err is what the system says.
	Err error
}

// Error says that there is no connection, and why.
func (u *Unreachable) Error() string { return "the server cannot be reached: " + u.Err.Error() }

// Unwrap returns what the system says.
func (u *Unreachable) Unwrap() error { return u.Err }

// hangUp ends every wait of the session.
func (s *Session) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.raw.Close()
	if s.data != nil {
		_ = s.data.Close()
	}
}

// because is the end of the context, if that is why something failed.
func (s *Session) because(err error) error {
	if err != nil && s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	return err
}

func (s *Session) begin() error {
	if s.conf.Target.Security == Implicit {
		if err := s.protect(); err != nil {
			return err
		}
	}
	if _, err := s.expect("the connection", 220); err != nil {
		return err
	}
	if s.conf.Target.Security == Explicit {
		if err := s.authTLS(); err != nil {
			return err
		}
	}
	if err := s.login(); err != nil {
		return err
	}
	if s.tls != nil {
		for _, command := range []string{"PBSZ 0", "PROT P"} {
			if _, err := s.must(command, 200); err != nil {
				return err
			}
		}
	}
	return s.settle()
}

func (s *Session) authTLS() error {
	r, err := s.do("AUTH TLS")
	if err != nil {
		return err
	}
	if !r.is(234) {
		return &Refusal{What: fmt.Sprintf("the server does not protect the connection: it answers AUTH TLS with %q; no password was sent", r.String()),
			Help: "ftps:// is for servers with TLS from the first byte; --insecure-plaintext does without protection"}
	}
	return s.protect()
}

// protect does the handshake on the control connection. What was sent in front of it
// could be anybody's (RFC 4217 §15.1) and is refused.
func (s *Session) protect() error {
	if s.in.Buffered() > 0 {
		return refuse("the server sends more before the TLS handshake than its reply")
	}
	conf := s.conf.TLS.Clone()
	if conf == nil {
		conf = new(tls.Config)
	}
	if conf.ServerName == "" {
		conf.ServerName = s.conf.Target.Host
	}
	conf.MinVersion = max(conf.MinVersion, tls.VersionTLS12)
	s.tickets = new(tickets)
	conf.ClientSessionCache = controlTickets{s.tickets}
	tc := tls.Client(whole{s.raw}, conf)
	if err := s.handshake(tc); err != nil {
		return err
	}
	s.tls = conf.Clone()
	s.tls.ClientSessionCache = dataTickets{s.tickets}
	s.conn = tc
	s.in.Reset(tc)
	return nil
}

func (s *Session) handshake(tc *tls.Conn) error {
	_ = tc.SetDeadline(time.Now().Add(s.conf.Timeout))
	err := tc.HandshakeContext(s.ctx)
	_ = tc.SetDeadline(time.Time{})
	return err
}

// Has reports whether FEAT lists a feature.
func (s *Session) Has(feature string) bool {
	_, ok := s.features[feature]
	return ok
}

// Lost is why the session cannot be used any more; nil if it can.
func (s *Session) Lost() error { return s.lost }

// Close ends the session without a word.
func (s *Session) Close() {
	s.stop()
	s.hangUp()
	if s.lost == nil {
		s.lost = net.ErrClosed
	}
}

// Quit ends the session as RFC 959 §4.1.1 has it.
func (s *Session) Quit() {
	if s.lost == nil {
		_, _ = s.do("QUIT") // it ends whatever the server says
	}
	s.Close()
}

// do sends a command and returns its final reply.
func (s *Session) do(command string) (Reply, error) { return s.send(command, command) }

// secret sends a command whose argument is not to be seen.
func (s *Session) secret(verb, argument string) (Reply, error) {
	return s.send(verb+argument, verb+"****")
}

func (s *Session) send(line, shown string) (Reply, error) {
	if err := s.write(line, shown); err != nil {
		return Reply{}, err
	}
	for range maxMarks {
		r, err := s.reply()
		if err != nil || r.Code >= 200 {
			return r, err
		}
	}
	return Reply{}, s.lose(refuse("the server sends preliminary replies without end"))
}

// write sends a line, which must be one.
func (s *Session) write(line, shown string) error {
	if s.lost != nil {
		return s.lost
	}
	verb, _, _ := strings.Cut(shown, " ")
	if err := checkArgument("the argument of "+verb, line); err != nil {
		return err
	}
	if s.conf.Trace != nil {
		s.conf.Trace(true, escape.Text(shown))
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(s.conf.Timeout))
	_, err := io.WriteString(s.conn, line+"\r\n")
	return s.lose(err)
}

// reply reads one reply, which may be preliminary.
func (s *Session) reply() (Reply, error) {
	if s.lost != nil {
		return Reply{}, s.lost
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(s.conf.Timeout))
	r, err := readReply(s.in)
	if err != nil {
		return Reply{}, s.lose(silence(err, s.conf.Timeout))
	}
	if s.conf.Trace != nil {
		for i, line := range r.Lines {
			sep := "-"
			if i == len(r.Lines)-1 {
				sep = " "
			}
			s.conf.Trace(false, fmt.Sprintf("%d%s%s", r.Code, sep, escape.Text(line)))
		}
	}
	if r.Code == 421 {
		_ = s.lose(&ReplyError{"the session", r})
	}
	return r, nil
}

// silence puts into words that nothing came, or that the connection ended.
func silence(err error, d time.Duration) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the server says nothing for %v: %w", d, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errCut):
		return fmt.Errorf("the server has closed the connection: %w", err)
	}
	return err
}

// lose notes an error that the session does not survive.
func (s *Session) lose(err error) error {
	if err != nil && s.lost == nil {
		s.lost = s.because(err)
	}
	return s.because(err)
}

// must sends a command whose final reply has to have one of the codes.
func (s *Session) must(command string, codes ...int) (Reply, error) {
	r, err := s.do(command)
	if err == nil && !r.is(codes...) {
		err = &ReplyError{command, r}
	}
	return r, err
}

// expect reads a final reply that has to have one of the codes; what is the moment.
func (s *Session) expect(what string, codes ...int) (Reply, error) {
	for range maxMarks {
		r, err := s.reply()
		switch {
		case err != nil:
			return r, err
		case r.is(codes...):
			return r, nil
		case r.Code >= 200:
			return r, &ReplyError{what, r}
		}
	}
	return Reply{}, s.lose(refuse("the server sends preliminary replies without end"))
}
