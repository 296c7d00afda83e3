package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/audit"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/events"
)

// house is what the admin API stands on, beside what it is about.
type house struct {
	audit  *audit.Log
	events events.Hub
	drain  *drainer
	// predecessor gives the server's place away.
	predecessor predecessor
}

// openAdmin makes the admin socket. It comes first: it tells whether another server has
// this state.
func (in *generation) openAdmin(ctx context.Context) (err error) {
	var group *int
	if g := in.conf.Admin.Group; g != "" {
		if group, err = groupID(g); err != nil {
			return exitWith(exitConfig, fmt.Errorf("admin.group: %w", err))
		}
	}
	listen := control.ListenFor
	if in.succeeds != nil {
		listen = control.ListenBeside
	}
	if in.admin, err = listen(ctx, in.conf.Socket, group); errors.Is(err, control.ErrPathTooLong) {
		return exitWith(exitConfig, err)
	} else if errors.Is(err, fs.ErrNotExist) {
		return exitWith(exitFailed, fmt.Errorf("%w\n   = help: make the directory, for the server's user alone; without admin.socket it is the state directory", err))
	} else if err != nil {
		return exitWith(exitFailed, err)
	}
	a := control.Access{Group: group, Names: userNames(), Debug: in.conf.Admin.Debug}
	if a.Grants, err = grants(in.conf.Admin.Roles); err != nil {
		return exitWith(exitConfig, err)
	}
	head := filepath.Join(in.conf.Instance.StateDir, "audit.head")
	max := in.conf.Audit.MaxSize
	if inside := below(in.conf.Instance.StateDir, in.conf.Audit.File); !inside {
		max = 0 // whoever the place belongs to moves it away
	}
	if in.house.audit, err = audit.Open(in.conf.Audit.File, head, audit.Options{MaxSize: max, Log: in.log}); err != nil {
		return exitWith(exitFailed, err)
	}
	a.Audit = in.house.audit
	if t := in.conf.Admin.TCP; t != nil {
		l, err := in.listenAt(ctx, in.adminAt())
		if err != nil {
			return exitWith(exitFailed, fmt.Errorf("admin.tcp.listen: %w\n   = help: free the port, or choose another one", err))
		}
		if a.TCP, err = adminTCP(t, l); err != nil {
			_ = l.Close() // nobody was let in
			return exitWith(exitFailed, err)
		}
		in.log.Info("the admin API is served over TLS", "address", a.TCP.Listener.Addr().String())
	}
	in.rights = a
	in.admin.Guard(a) // so that Close closes what it has
	return nil
}

// guardAdmin hands the API what it is about, once that is there, and before it is served.
func (in *instance) guardAdmin() {
	in.rights.Parts = control.Parts{Events: &in.house.events, Levels: in.level, Backups: backups{in}, Upgrade: &in.house.predecessor}
	in.rights.Away = in.house.predecessor.Away
	if in.house.drain != nil {
		in.rights.Drainer = in.house.drain
	}
	in.admin.Guard(in.rights)
}

// closeHouse ends what the API stands on; the socket has its own end.
func (in *instance) closeHouse() (err error) {
	in.house.events.Close()
	if in.house.drain != nil {
		in.house.drain.close()
	}
	in.level.close()
	if in.house.audit != nil {
		err = in.house.audit.Close()
	}
	return err
}

// groupID finds the number of a group.
func groupID(name string) (*int, error) {
	n, err := strconv.Atoi(name)
	if err != nil {
		g, err := user.LookupGroup(name)
		if err != nil {
			return nil, fmt.Errorf("there is no group %q on this machine\n   = help: make one, as by groupadd --system, or write its number", name)
		}
		if n, err = strconv.Atoi(g.Gid); err != nil {
			return nil, fmt.Errorf("the group %q has no number", name)
		}
	}
	return &n, nil
}

// userID finds the number of a user.
func userID(name string) (*int, error) {
	n, err := strconv.Atoi(name)
	if err != nil {
		u, err := user.Lookup(name)
		if err != nil {
			return nil, fmt.Errorf("there is no user %q on this machine\n   = help: make one, or write its number", name)
		}
		if n, err = strconv.Atoi(u.Uid); err != nil {
			return nil, fmt.Errorf("the user %q has no number", name)
		}
	}
	return &n, nil
}

// grants looks users and groups up, which is done once: a server that is shut off from the
// machine could not do it later.
func grants(roles []config.AdminRole) (out []control.Grant, err error) {
	for i, r := range roles {
		g := control.Grant{Certificate: r.Certificate, Role: control.ParseRole(r.Role)}
		switch {
		case r.User != "":
			g.UID, err = userID(r.User)
		case r.Group != "":
			g.GID, err = groupID(r.Group)
		}
		if err != nil {
			return nil, fmt.Errorf("admin.roles[%d]: %w", i, err)
		}
		out = append(out, g)
	}
	return out, nil
}

// maxPasswd bounds what is read of the list of users.
const maxPasswd = 1 << 20

// userNames are the names of users by their numbers, for the audit log, as they are at the
// start. Where there is no such list, the numbers have to do.
func userNames() map[int]string {
	names := map[int]string{}
	text, err := os.ReadFile("/etc/passwd")
	if err != nil || len(text) > maxPasswd {
		return names
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(line, ":")
		if len(f) < 3 {
			continue
		}
		if n, err := strconv.Atoi(f[2]); err == nil && names[n] == "" {
			names[n] = f[0]
		}
	}
	return names
}

// adminTCP makes the API's end on TCP.
func adminTCP(conf *config.AdminTCP, l net.Listener) (*control.TCP, error) {
	pair := &adminPair{cert: conf.Cert, key: conf.Key}
	if err := pair.load(); err != nil {
		return nil, fmt.Errorf("admin.tcp: %w\n   = help: cert and key are PEM files that belong together", err)
	}
	t := &control.TCP{Listener: l, Hosts: conf.Hosts, Origins: conf.Origins,
		Config: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get, NextProtos: []string{"http/1.1"}}}
	if conf.ClientCA != "" {
		text, err := os.ReadFile(conf.ClientCA)
		t.Config.ClientCAs = x509.NewCertPool()
		if err == nil && !t.Config.ClientCAs.AppendCertsFromPEM(text) {
			err = errors.New("it holds no certificate")
		}
		if err != nil {
			return nil, fmt.Errorf("admin.tcp.client_ca: %s: %w", conf.ClientCA, err)
		}
		t.Config.ClientAuth = tls.VerifyClientCertIfGiven
		if len(conf.Tokens) == 0 {
			t.Config.ClientAuth = tls.RequireAndVerifyClientCert
		}
	}
	for i := range conf.Tokens {
		k := &conf.Tokens[i]
		token := control.Token{Name: k.Name, Role: control.ParseRole(k.Role), Sum: sha256.Sum256([]byte(k.Token.Value()))}
		if k.Hash != "" {
			sum, err := hex.DecodeString(strings.TrimPrefix(strings.ToLower(k.Hash), "sha256:"))
			if err != nil || len(sum) != sha256.Size {
				return nil, fmt.Errorf("admin.tcp.tokens: the hash of %q is none", k.Name)
			}
			copy(token.Sum[:], sum)
		}
		t.Tokens = append(t.Tokens, token)
	}
	return t, nil
}

// adminPair is a certificate that is read again when its file was replaced.
type adminPair struct {
	cert, key string

	mu     sync.Mutex
	pair   *tls.Certificate
	at     time.Time // of the file
	looked time.Time
}

// lookEvery is how often the file is looked at, at most.
const lookEvery = 10 * time.Second

func (p *adminPair) load() error {
	info, err := os.Stat(p.cert)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		return err
	}
	p.pair, p.at = &pair, info.ModTime()
	return nil
}

// get implements tls.Config.GetCertificate. A new file that is not in order yet changes
// nothing.
func (p *adminPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.looked) > lookEvery {
		p.looked = now
		if info, err := os.Stat(p.cert); err == nil && !info.ModTime().Equal(p.at) {
			_ = p.load() // the one before is used on
		}
	}
	return p.pair, nil
}
