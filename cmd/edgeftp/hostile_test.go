package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
)

// steering are words that set a terminal's title, clear it, ask it for an answer, turn text
// around, and begin a control sequence with one character.
const steering = "\x1b]0;owned\a\x1b[2J\x05\x7f\u009b31m\u202egnp\u2066"

// hostile is a server that has such words in all that it says.
type hostile struct {
	net.Listener
	wait sync.WaitGroup
}

func newHostile(t *testing.T, conf *tls.Config) *hostile {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if conf != nil {
		l = tls.NewListener(l, conf)
	}
	h := &hostile{Listener: l}
	h.wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			h.wait.Go(func() { h.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		h.wait.Wait()
	})
	return h
}

// serve answers one session: logins succeed, and directories have names that are none.
func (h *hostile) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	say := func(format string, a ...any) { _, _ = fmt.Fprintf(c, format+" "+steering+"\r\n", a...) }
	say("220-one\r\n %s\r\n220", steering)
	var data net.Listener
	defer func() {
		if data != nil {
			_ = data.Close()
		}
	}()
	send := func(text string) {
		say("150")
		d, err := data.Accept()
		if err != nil {
			return
		}
		_, _ = d.Write([]byte(text))
		_ = d.Close()
		say("226")
	}
	for lines := bufio.NewScanner(c); lines.Scan(); {
		verb, arg, _ := strings.Cut(lines.Text(), " ")
		switch verb {
		case "USER":
			say("331")
		case "PASS":
			say("230")
		case "FEAT":
			_, _ = fmt.Fprintf(c, "211-\r\n MLST type*;size*;modify*;\r\n SIZE\r\n %s\r\n211 end\r\n", steering)
		case "PWD":
			say(`257 "/"`)
		case "TYPE", "OPTS", "NOOP", "CLNT":
			say("200")
		case "EPSV":
			data, _ = net.Listen("tcp", "127.0.0.1:0")
			say("229 (|||%d|)", data.Addr().(*net.TCPAddr).Port)
		case "MLSD":
			send("type=file;size=3; good\r\ntype=file;size=4;unix.mode=" + steering + "; a" + steering + "\r\ntype=OS.unix=slink:/" + steering + "; link\r\n")
		case "MLST":
			kind := "dir"
			if arg != "/" {
				kind = "file"
			}
			_, _ = fmt.Fprintf(c, "250-\r\n type=%s;size=3; %s\r\n250 end\r\n", kind, arg)
		case "SIZE":
			say("213 x")
		case "QUIT":
			say("221")
			return
		default:
			say("550 " + verb)
		}
	}
}

// No word of a server reaches a terminal as it is: not of its replies, its names, its
// certificate, or what is made of them.
func TestClientEscapes(t *testing.T) {
	h := newHostile(t, nil)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NETRC", filepath.Join(dir, "none"))
	plain := "ftp://anna@" + h.Addr().String()
	for _, args := range [][]string{
		{"ls", plain + "/"}, {"ls", plain + "/", "-o", "json"}, {"ls", plain + "/", "-v"}, {"ls", plain + "/", "--color", "always"},
		{"get", plain + "/good", dir}, {"get", plain + "/good", dir, "-o", "json"}, {"get", plain + "/good", "-"},
		{"get", "-r", plain + "/", filepath.Join(dir, "a"), "--progress", "plain"}, {"get", "-r", plain + "/", filepath.Join(dir, "b"), "--progress", "json"},
		{"get", plain + "/good", plain + "/better", filepath.Join(dir, "c") + "/", "--progress", "json"},
		{"put", file, plain + "/"}, {"put", file, plain + "/", "--progress", "plain", "-o", "json"},
		{"mirror", plain + "/", filepath.Join(dir, "d")}, {"mirror", plain + "/", filepath.Join(dir, "e"), "-o", "json", "--progress", "json"},
		{"bench", plain + "/", "--duration", "100ms", "--connections", "1"},
	} {
		tame(t, h, append(args, "--insecure-plaintext", "--retries", "0")...)
	}
	conf, ca := strangeCertificate(t)
	s := newHostile(t, conf)
	_, port, _ := net.SplitHostPort(s.Addr().String())
	tame(t, s, "ls", "ftps://anna@localhost:"+port+"/", "--ca-file", ca)
}

// tame runs a command, and looks at all that it writes.
func tame(t *testing.T, h *hostile, args ...string) {
	t.Helper()
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append(args, "--password-file", password)
	if args[0] == "ls" || args[0] == "bench" {
		args = without(args, "--retries", "0")
	}
	var out, errs bytes.Buffer
	code := run(t.Context(), args, &out, &errs)
	text := out.String() + errs.String()
	if code == exitUsage || code == exitUnreachable && args[0] != "bench" || text == "" {
		t.Errorf("%q: exit code %d: %s", args, code, text)
	}
	coloured := strings.NewReplacer("\x1b[0m", "", "\x1b[1m", "", "\x1b[31m", "", "\x1b[33m", "", "\x1b[34m", "", "\n", "", "\t", "").Replace(text)
	if i := strings.IndexFunc(coloured, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("%q writes %q in %q", args, coloured[i:min(i+8, len(coloured))], text)
	}
}

// without takes words away that a command does not know.
func without(args []string, words ...string) (out []string) {
	for i := 0; i < len(args); i++ {
		if args[i] == words[0] {
			i += len(words) - 1
			continue
		}
		out = append(out, args[i])
	}
	return out
}

// strangeCertificate is one whose names steer a terminal, and the file of its authority.
func strangeCertificate(t *testing.T) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, DNSNames: []string{"\x1b[2J\x7f\a.example.org"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, ca
}
