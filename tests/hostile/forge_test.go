package hostile

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"
)

// Record and message types of TLS (RFC 8446 §5.1, §4).
const (
	typeAlert     = 21
	typeHandshake = 22
	typeData      = 23
)

// forger writes records on a TLS connection that package tls would not write. It
// takes over from the client after the handshake; reading is still the client's.
type forger struct {
	conn   net.Conn
	tls13  bool
	secret []byte // of TLS 1.3, for the next key
	seal   cipher.AEAD
	iv     []byte
	seq    uint64
	suite  uint16
}

// tap keeps what the server has sent, for the random number in its hello.
type tap struct {
	net.Conn
	mu  sync.Mutex
	got bytes.Buffer
}

func (t *tap) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.got.Len() < 4<<10 {
		t.got.Write(b[:n])
	}
	return n, err
}

// forge does a handshake of the given version and returns the client, from which to
// read, and the forger, by which to write.
func forge(conn net.Conn, conf *tls.Config, version uint16) (*tls.Conn, *forger, error) {
	keys := &bytes.Buffer{}
	conf = conf.Clone()
	conf.MinVersion, conf.MaxVersion, conf.KeyLogWriter = version, version, keys
	conf.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	listening := &tap{Conn: conn}
	client := tls.Client(listening, conf)
	if err := client.Handshake(); err != nil {
		return nil, nil, err
	}
	f := &forger{conn: conn, tls13: version == tls.VersionTLS13, suite: client.ConnectionState().CipherSuite}
	if f.tls13 {
		return client, f, f.next(logged(keys, "CLIENT_TRAFFIC_SECRET_0"))
	}
	return client, f, f.derive(keys, listening.got.Bytes())
}

// logged finds a secret in what a KeyLogWriter was told.
func logged(keys *bytes.Buffer, label string) []byte {
	for line := range strings.SplitSeq(keys.String(), "\n") {
		if words := strings.Fields(line); len(words) == 3 && words[0] == label {
			secret, _ := hex.DecodeString(words[2])
			return secret
		}
	}
	return nil
}

// next takes a traffic secret of TLS 1.3 into use (RFC 8446 §7.3).
func (f *forger) next(secret []byte) (err error) {
	f.secret, f.seq = secret, 0
	size := chacha20poly1305.KeySize
	if f.suite == tls.TLS_AES_128_GCM_SHA256 {
		size = 16
	}
	key, err := expand(secret, "key", size)
	if err != nil {
		return err
	}
	if f.iv, err = expand(secret, "iv", 12); err != nil {
		return err
	}
	switch f.suite {
	case tls.TLS_CHACHA20_POLY1305_SHA256:
		f.seal, err = chacha20poly1305.New(key)
		return err
	case tls.TLS_AES_128_GCM_SHA256:
		f.seal, err = gcm(key)
		return err
	}
	return fmt.Errorf("the suite %x cannot be forged", f.suite)
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// expand is HKDF-Expand-Label without a context (RFC 8446 §7.1).
func expand(secret []byte, label string, n int) ([]byte, error) {
	label = "tls13 " + label
	info := append([]byte{byte(n >> 8), byte(n), byte(len(label))}, label...)
	return hkdf.Expand(sha256.New, secret, string(append(info, 0)), n)
}

// derive makes the client's keys of TLS 1.2 (RFC 5246 §6.3).
func (f *forger) derive(keys *bytes.Buffer, sent []byte) (err error) {
	const hello = 5 + 4 + 2 // record and message headers, version
	words := strings.Fields(keys.String())
	if len(sent) < hello+32 || len(words) != 3 {
		return errors.New("there are no keys")
	}
	client, _ := hex.DecodeString(words[1])
	master, _ := hex.DecodeString(words[2])
	seed := bytes.Join([][]byte{[]byte("key expansion"), sent[hello : hello+32], client}, nil)
	var block []byte
	for a := mac(master, seed); len(block) < 40; a = mac(master, a) {
		block = append(block, mac(master, append(bytes.Clone(a), seed...))...)
	}
	f.seal, err = gcm(block[:16])
	f.iv, f.seq = block[32:36], 1 // Finished was number 0
	return err
}

func mac(key, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(text)
	return h.Sum(nil)
}

// record returns a sealed record.
func (f *forger) record(kind byte, text []byte) []byte {
	seq := binary.BigEndian.AppendUint64(nil, f.seq)
	f.seq++
	if !f.tls13 {
		nonce := append(bytes.Clone(f.iv), seq...)
		extra := append(bytes.Clone(seq), kind, 3, 3, byte(len(text)>>8), byte(len(text)))
		sealed := f.seal.Seal(bytes.Clone(seq), nonce, text, extra)
		return append([]byte{kind, 3, 3, byte(len(sealed) >> 8), byte(len(sealed))}, sealed...)
	}
	nonce := bytes.Clone(f.iv)
	for i, b := range seq {
		nonce[4+i] ^= b
	}
	text = append(bytes.Clone(text), kind)
	size := len(text) + f.seal.Overhead()
	head := []byte{typeData, 3, 3, byte(size >> 8), byte(size)}
	return f.seal.Seal(head, nonce, text, head)
}

// write sends one record.
func (f *forger) write(kind byte, text []byte) error {
	_, err := f.conn.Write(f.record(kind, text))
	return err
}

// update sends a KeyUpdate, which asks for one in return (RFC 8446 §4.6.3).
func (f *forger) update() error {
	if err := f.write(typeHandshake, []byte{24, 0, 0, 1, 1}); err != nil {
		return err
	}
	secret, err := expand(f.secret, "traffic upd", len(f.secret))
	if err != nil {
		return err
	}
	return f.next(secret)
}

// forged opens a control connection with AUTH TLS and takes it over.
func (r *rig) forged(version uint16) (*tls.Conn, *forger) {
	r.Helper()
	c := r.meet()
	r.do(c, "AUTH TLS", 234)
	client, f, err := forge(c.Raw(), r.client, version)
	r.must(err)
	_ = c.Raw().SetDeadline(deadline())
	return client, f
}

// told reads from a control connection until it ends.
func told(c net.Conn) string {
	text, _ := io.ReadAll(c)
	return string(text)
}

// readLine reads one line of a reply.
func readLine(c net.Conn) (string, error) {
	var line []byte
	for b := make([]byte, 1); !bytes.HasSuffix(line, []byte("\n")); {
		if _, err := io.ReadFull(c, b); err != nil {
			return string(line), err
		}
		line = append(line, b[0])
	}
	return string(line), nil
}
