package acme

import (
	"context"
	"crypto"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	rsaSHA256, ecdsaSHA256 = 0x0401, 0x0403 // signature algorithms, RFC 8446 §4.2.3
	rsaSHA1, ecdsaSHA1     = 0x0201, 0x0203
)

func list16(values ...uint16) (b []byte) {
	for _, v := range values {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

func extension(kind uint16, body []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, kind)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(body))), body...)
}

// helloRecord is a ClientHello (RFC 5246 §7.4.1.2) with suites that no library
// offers any more.
func helloRecord(version uint16, suites, schemes []uint16) []byte {
	body := binary.BigEndian.AppendUint16(nil, version)
	body = append(body, make([]byte, 32)...) // random
	body = append(body, 0)                   // no session
	body = append(body, list16(suites...)...)
	body = append(body, 1, 0) // no compression
	extensions := slices.Concat(
		extension(10, list16(29, 23)),     // X25519, P-256
		extension(11, []byte{1, 0}),       // uncompressed points
		extension(13, list16(schemes...)), // signature algorithms
		extension(0xff01, []byte{0}),      // secure renegotiation
		extension(23, nil),                // extended master secret
	)
	body = append(binary.BigEndian.AppendUint16(body, uint16(len(extensions))), extensions...)
	message := append([]byte{1, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	record := []byte{22, 3, 1, byte(len(message) >> 8), byte(len(message))}
	return append(record, message...)
}

// answer sends a hello and says how the server's answer ends.
func answer(t *testing.T, config *tls.Config, hello []byte) string {
	t.Helper()
	a, b := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- tls.Server(a, config).Handshake() }()
	defer func() {
		_ = b.Close()
		<-done
		_ = a.Close()
	}()
	must(t, b.SetDeadline(time.Now().Add(10*time.Second)))
	_, err := b.Write(hello)
	must(t, err)
	for { // RFC 5246 §7.3: each message of the flight is a record
		header := make([]byte, 5)
		_, err = io.ReadFull(b, header)
		must(t, err)
		body := make([]byte, binary.BigEndian.Uint16(header[3:]))
		_, err = io.ReadFull(b, body)
		must(t, err)
		switch {
		case header[0] == 22 && body[0] == 14:
			return "ServerHelloDone"
		case header[0] == 21 && len(body) == 2 && body[0] == 2:
			return fmt.Sprintf("alert %d", body[1])
		case header[0] != 22:
			t.Fatalf("record %x %x is neither a handshake nor a fatal alert", header, body)
		}
	}
}

// The suites that must not be used, whatever the server's certificate and the
// environment; the numbers are IANA's.
func refusedSuites() map[string][]uint16 {
	return map[string][]uint16{
		"RC4":          {0x0004, 0x0005, 0xc007, 0xc011},
		"3DES":         {0x000a, 0x0016, 0xc008, 0xc012},
		"DES":          {0x0009, 0x0015},
		"export":       {0x0003, 0x0006, 0x0008, 0x0011, 0x0014, 0x0062, 0x0064},
		"anonymous":    {0x0018, 0x001b, 0x0034, 0x006c, 0x00a6, 0xc015, 0xc018},
		"no cipher":    {0x0001, 0x0002, 0x003b, 0xc006, 0xc010},
		"static RSA":   {0x002f, 0x0035, 0x003c, 0x009c, 0x009d},
		"CBC":          {0xc009, 0xc00a, 0xc013, 0xc014, 0xc023, 0xc027},
		"finite DH":    {0x0033, 0x0039, 0x009e, 0x009f},
		"shared keys":  {0x008c, 0x00a8},
		"unheard of":   {0x1234},
		"TLS 1.3 only": {0x1301, 0x1302}, // in a hello of TLS 1.2
	}
}

func TestRefusedHellos(t *testing.T) {
	// What would bring some of it back for servers that rely on Go's defaults.
	t.Setenv("GODEBUG", "tls10server=1,tlsrsakex=1,tls3des=1")
	good := []uint16{0xc02b, 0xc02f}
	both, sha1 := []uint16{ecdsaSHA256, rsaSHA256}, []uint16{ecdsaSHA1, rsaSHA1}
	for name, key := range map[string]crypto.Signer{"ECDSA": newKey(t), "RSA": newRSA(t, 2048)} {
		is := newTestCA(t, newKey(t))
		set, _, err := OpenFiles([]FilePair{is.files(t.TempDir(), "x", is.issue(key, "a.example"))}, FileOptions{})
		must(t, err)
		config := set.Config(Choice{})
		if got := answer(t, config, helloRecord(tls.VersionTLS12, good, both)); got != "ServerHelloDone" {
			t.Errorf("%s: a good hello is answered by %s", name, got)
		}
		for _, version := range []uint16{0x0002, 0x0300, tls.VersionTLS10, tls.VersionTLS11} {
			if got := answer(t, config, helloRecord(version, good, both)); got != "alert 70" { // protocol_version
				t.Errorf("%s: version %04x is answered by %s", name, version, got)
			}
		}
		for what, suites := range refusedSuites() {
			if got := answer(t, config, helloRecord(tls.VersionTLS12, suites, both)); got != "alert 40" { // handshake_failure
				t.Errorf("%s: %s is answered by %s", name, what, got)
			}
		}
		if got := answer(t, config, helloRecord(tls.VersionTLS12, good, sha1)); got != "alert 40" {
			t.Errorf("%s: signatures with SHA-1 are answered by %s", name, got)
		}
	}
}

// Go's own client, told to do the worst it still can.
func TestRefusedClients(t *testing.T) {
	t.Setenv("GODEBUG", "tlsrsakex=1,tls3des=1")
	is := newTestCA(t, newKey(t))
	set, _, err := OpenFiles([]FilePair{is.files(t.TempDir(), "x", is.issue(newRSA(t, 2048), "a.example"))}, FileOptions{})
	must(t, err)
	for _, suite := range tls.InsecureCipherSuites() {
		client := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}}
		if _, err := shake(t, set.Config(Choice{}), client); err == nil || !strings.Contains(err.Error(), "handshake failure") {
			t.Errorf("%s: %v", suite.Name, err)
		}
	}
	old := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if _, err := shake(t, set.Config(Choice{}), old); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: %v", err)
	}
}

// openssl runs s_client against config. ok says whether the handshake succeeded.
func openssl(t *testing.T, config *tls.Config, args ...string) (out string, ok bool) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	must(t, err)
	done := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			_, _ = conn.Write([]byte("hello\n"))
			_ = conn.Close()
		}
		done <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "openssl", append([]string{"s_client", "-ign_eof", "-connect", l.Addr().String()}, args...)...)
	cmd.Env = append(os.Environ(), "OPENSSL_CONF=/dev/null")
	text, err := cmd.CombinedOutput()
	_ = l.Close()
	<-done
	return string(text), err == nil && strings.Contains(string(text), "hello")
}

func TestRefusedOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is not installed, and CI=true asks for every check")
		}
		t.Skip("openssl is not installed")
	}
	is := newTestCA(t, newKey(t))
	set, _, err := OpenFiles([]FilePair{is.files(t.TempDir(), "x", is.issue(newRSA(t, 2048), "a.example"))}, FileOptions{})
	must(t, err)
	config := set.Config(Choice{})
	StrictSNI(config, nil)
	ca := caFile(t, is.cert)
	for _, args := range [][]string{{"-tls1_2"}, {"-tls1_3"}, {"-tls1_2", "-noservername"}} {
		args = append(args, "-CAfile", ca, "-verify_return_error", "-servername", "a.example")
		if slices.Contains(args, "-noservername") {
			args = args[:len(args)-2]
		}
		if out, ok := openssl(t, config, args...); !ok {
			t.Errorf("%q: %s", args, out)
		}
	}
	refused := map[string][]string{
		"TLS 1.0":    {"-tls1", "-cipher", "ALL:@SECLEVEL=0"},
		"TLS 1.1":    {"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"},
		"anonymous":  {"-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"},
		"no cipher":  {"-tls1_2", "-cipher", "eNULL:@SECLEVEL=0"},
		"static RSA": {"-tls1_2", "-cipher", "kRSA:@SECLEVEL=0"},
		"CBC":        {"-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES128-SHA256:@SECLEVEL=0"},
		"finite DH":  {"-tls1_2", "-cipher", "kDHE:@SECLEVEL=0"},
		"SHA-1":      {"-tls1_2", "-sigalgs", "RSA+SHA1:ECDSA+SHA1", "-cipher", "ALL:@SECLEVEL=0"},
		"other name": {"-tls1_3", "-servername", "web.example"},
	}
	for _, cipher := range []string{"RC4", "3DES", "EXPORT"} {
		// Today's builds have none of them; TestRefusedHellos asks without openssl.
		if exec.CommandContext(t.Context(), "openssl", "ciphers", cipher).Run() == nil {
			refused[cipher] = []string{"-tls1_2", "-cipher", cipher + ":@SECLEVEL=0"}
		}
	}
	for name, args := range refused {
		out, ok := openssl(t, config, args...)
		if ok || !strings.Contains(out, "alert") { // an alert: the server said no, not the client
			t.Errorf("%s: %s", name, out)
		}
	}
	t.Logf("%d of openssl's offers were refused", len(refused))
}
