package quicnet

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

// Each way in which a connection does not come to be says what it is, and what may help.
func TestDialFails(t *testing.T) {
	s := listen(t, nil)
	dead := udp(t)
	defer dead.Close()
	untrusting, wrong := s.dialConfig(), s.dialConfig()
	untrusting.TLS = nil
	wrong.ServerName = ""
	silent := s.dialConfig()
	silent.Addr, silent.Handshake = dead.LocalAddr().String(), 100*time.Millisecond
	web := listen(t, func(c *Config) { c.FTP, c.HTTP = false, nowhere{} })
	for _, test := range []struct {
		name string
		conf DialConfig
		want error
		says string
	}{
		{"nothing answers", silent, ErrSilent, "FTPS over TCP is the way out"},
		{"another authority", untrusting, ErrCertificate, "unknown authority"},
		{"another name", wrong, ErrCertificate, "127.0.0.1"},
		{"another protocol", web.dialConfig(), ErrProtocol, "not FTP over it"},
	} {
		c, err := Dial(within(t), test.conf)
		if !errors.Is(err, test.want) || c != nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), test.conf.Addr) {
			t.Errorf("%s: %v", test.name, err)
		}
		t.Log(err)
	}
	for _, addr := range []string{"", "host", "127.0.0.1:ftp", "127.0.0.1:70000"} {
		if _, err := Dial(within(t), DialConfig{Addr: addr}); err == nil {
			t.Errorf("%q is taken for an address", addr)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Dial(ctx, s.dialConfig()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	short, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	silent.Handshake = 0
	if _, err := Dial(short, silent); !errors.Is(err, ErrSilent) {
		t.Error(err)
	}
}

// A server that has gone is noticed, and the error says so.
func TestServerVanishes(t *testing.T) {
	server, client := authority(t)
	pc := udp(t)
	mute := &muzzle{UDPConn: pc}
	l, err := Listen(mute, Config{TLS: server, FTP: true})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{l, client}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = l.Shutdown(ctx)
	})
	conf := s.dialConfig()
	conf.Idle, conf.KeepAlive = 2*time.Second, 100*time.Millisecond // of a machine that may have other things to do
	c, err := Dial(within(t), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, near := s.session(t, c)
	close(mute.on())
	<-c.Done()
	if err := c.Err(); err == nil || !strings.Contains(err.Error(), "has not answered for too long") {
		t.Error(err)
	}
	_, err = near.Read(make([]byte, 1))
	var late net.Error
	if err == nil || errors.As(err, &late) && late.Timeout() || !errors.Is(err, net.ErrClosed) {
		t.Errorf("the session ends with %v", err)
	}
}

// A server's stream that a client does not await is refused; one that breaks the rules
// ends the connection.
func TestServerMisbehaves(t *testing.T) {
	server, trusted := authority(t)
	server.NextProtos = []string{"ftpq/1"}
	for _, test := range []struct {
		name  string
		heads [][]byte
		want  Code
		conn  bool
	}{
		{"unknown type", [][]byte{{0x21}}, CodeProtocol, false},
		{"malformed", [][]byte{{0x40, 0x46, 0x11}}, CodeProtocol, true},
		{"twice", [][]byte{head(Token{1}), head(Token{1})}, CodeToken, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			pc := udp(t)
			tr := &quic.Transport{Conn: pc}
			defer pc.Close()
			defer tr.Close()
			l, err := tr.Listen(server.Clone(), &quic.Config{})
			if err != nil {
				t.Fatal(err)
			}
			c, err := Dial(within(t), DialConfig{Addr: pc.LocalAddr().String(), ServerName: hostName, TLS: trusted})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			far, err := l.Accept(within(t))
			if err != nil {
				t.Fatal(err)
			}
			var last *quic.SendStream
			for _, h := range test.heads {
				last = rawData(t, far, h)
			}
			if !test.conn {
				if code := stopped(t, last); code != test.want {
					t.Error(code)
				}
				return
			}
			if code := ended(t, far); code != test.want {
				t.Error(code)
			}
		})
	}
}

// A client's certificate reaches the server.
func TestClientCertificate(t *testing.T) {
	s := listen(t, func(c *Config) { c.TLS.ClientAuth = tls.RequireAnyClientCert })
	if c, err := Dial(within(t), s.dialConfig()); err == nil { // TLS 1.3: the client is done first
		<-c.Done()
		if c.Err() == nil {
			t.Error("without a certificate")
		}
		_ = c.Close()
	}
	server, _ := authority(t)
	conf := s.dialConfig()
	conf.TLS = conf.TLS.Clone()
	conf.TLS.Certificates = server.Certificates
	c, err := Dial(within(t), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	far, _ := s.session(t, c)
	if got := far.TLS().PeerCertificates; len(got) != 1 || !got[0].Equal(server.Certificates[0].Leaf) {
		t.Errorf("%d certificates", len(got))
	}
}
