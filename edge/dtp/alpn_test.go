package dtp

import (
	"crypto/tls"
	"io"
	"testing"
)

// filezilla logs in as FileZilla's client does, which offers both protocols, and
// returns what its data connections are protected with. Binding is the weakest.
func (s *site) filezilla(t *testing.T, client *tls.Config) *Protection {
	t.Helper()
	control := client.Clone()
	control.NextProtos = []string{"ftp", "x-filezilla-ftp"}
	p := s.control(t, control, BindOff)
	p.FileZilla = true
	return p
}

// negotiated does a control connection's handshake and returns what was agreed on.
func (s *site) negotiated(t *testing.T, client *tls.Config) (string, error) {
	t.Helper()
	rawServer, rawClient := pair(t)
	server := tls.Server(rawServer, ControlTLS(s.base, &Control{Tag: NewTag()}))
	ended := make(chan error, 1)
	go func() { ended <- server.HandshakeContext(within(t)) }()
	c := tls.Client(rawClient, client)
	cerr := c.HandshakeContext(within(t))
	rawClient.Close()
	if serr := await(t, ended); cerr == nil && serr != nil {
		t.Errorf("only the server fails: %v", serr)
	}
	if got := server.ConnectionState().NegotiatedProtocol; cerr == nil && got != c.ConnectionState().NegotiatedProtocol {
		t.Errorf("the server has agreed on %q", got)
	}
	return c.ConnectionState().NegotiatedProtocol, cerr
}

func TestControlProtocols(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		for _, test := range []struct {
			offer   []string
			tickets bool
			want    string
			fails   bool
		}{
			{nil, true, "", false},
			{[]string{"ftp"}, true, "ftp", false},
			{[]string{"ftp", "x-filezilla-ftp"}, true, ProtocolFileZilla, false},
			{[]string{"x-filezilla-ftp"}, true, ProtocolFileZilla, false},
			{[]string{"http/1.1", "ftp"}, true, "ftp", false},
			{[]string{"ftp", "x-filezilla-ftp"}, false, "ftp", false}, // it could not resume
			{[]string{"ftp"}, false, "ftp", false},
			{[]string{"x-filezilla-ftp"}, false, "", true},
			{[]string{"h2", "http/1.1"}, true, "", true},
			{[]string{"ftp-data"}, true, "", true},
			{[]string{"acme-tls/1"}, true, "", true},
		} {
			client := s.client()
			client.NextProtos, client.SessionTicketsDisabled = test.offer, !test.tickets
			got, err := s.negotiated(t, client)
			if got != test.want || (err != nil) != test.fails {
				t.Errorf("offer %q, tickets %v: %q, %v", test.offer, test.tickets, got, err)
			}
		}
	})
}

// A configuration that is chosen by name offers the same. Where it or the base has
// no tickets, nobody is held to them.
func TestControlProtocolsOfChosen(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		for _, off := range []struct{ base, chosen bool }{{false, false}, {true, false}, {false, true}} {
			client := s.client()
			client.NextProtos = []string{"ftp", "x-filezilla-ftp"}
			base, chosen := s.base.Clone(), s.base.Clone()
			base.SessionTicketsDisabled, chosen.SessionTicketsDisabled = off.base, off.chosen
			base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return chosen, nil }
			here, want := &site{base: base, pool: s.pool}, ProtocolFileZilla
			if off.base || off.chosen {
				want = ProtocolControl
			}
			if got, err := here.negotiated(t, client); got != want || err != nil {
				t.Errorf("tickets off %+v: %q, %v", off, got, err)
			}
			if chosen.NextProtos != nil {
				t.Error("the configuration that was chosen has changed")
			}
			client.NextProtos = nil
			p := here.control(t, client, BindAuto)
			if resumed := served(t, p, client); resumed != p.Tickets || resumed != (want == ProtocolFileZilla) {
				t.Errorf("tickets off %+v: taken %v, resumed %v", off, p.Tickets, resumed)
			}
		}
	})
}

// FileZilla's data connection names its protocol and resumes, whatever the binding
// asks for; else it is refused.
func TestFileZillaData(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		named := func(client *tls.Config, protocols ...string) *tls.Config {
			c := client.Clone()
			c.NextProtos = protocols
			return c
		}
		client := s.client()
		p := s.filezilla(t, client)
		for range 3 {
			if !served(t, p, named(client, "ftp-data")) {
				t.Error("not resumed")
			}
		}
		refused(t, p, named(s.client(), "ftp-data"))
		for _, protocols := range [][]string{nil, {"ftp"}, {"h2"}} {
			client := s.client()
			p := s.filezilla(t, client)
			tr := &Transfer{Send: gate{}}
			c, done := beginTLS(t, within(t), p, named(client, protocols...), tr)
			if got, err := io.ReadAll(c); len(got) > 0 {
				t.Errorf("%q is served: %q, %v", protocols, got, err)
			}
			c.Close()
			wantErr(t, await(t, done).Err, ErrHandshake)
		}
	})
}

// Any other client names what it likes of the two, or nothing.
func TestDataProtocols(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		client := s.client()
		p := s.control(t, client, BindAuto)
		for _, protocols := range [][]string{nil, {"ftp"}, {"ftp-data"}, {"ftp", "ftp-data"}} {
			c := client.Clone()
			c.NextProtos = protocols
			if !served(t, p, c) {
				t.Errorf("%q: not resumed", protocols)
			}
		}
	})
}
