package check

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/acme"
)

// room is what a file system has left.
type room struct {
	bytes uint64
	files uint64 // ^0: it has no limit, or does not say
}

// onDisk is a storage of files; Filename("") is its directory.
type onDisk interface{ Filename(key string) string }

// checkStorage looks whether the storage can be used, and at what it holds.
func (r *run) checkStorage(ctx context.Context) {
	s := r.conf.Storage
	if s == nil {
		r.add(areaStorage, "storage", Fail, "there is none", "set certificates.acme.storage, or a state directory")
		return
	}
	subject, dir := "storage", ""
	if files, ok := s.(onDisk); ok {
		dir = files.Filename("")
		subject = dir
	}
	if dir != "" {
		r.checkDirectory(subject, dir)
	}
	bounded, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	if err := acme.CheckStorage(bounded, s); err != nil {
		text, help := helped(err, "give the server's user the right to read and write there, and the disk some room")
		r.add(areaStorage, subject, Fail, text, help+" (run this check as the server's user)")
		return
	}
	if text, help := locks(bounded, s); text != "" {
		r.add(areaStorage, subject, Fail, text, help)
		return
	}
	r.add(areaStorage, subject, OK, "values can be stored, read and deleted, and locks taken and released", "")
	r.othersLocks(bounded, subject)
	r.checkStored(bounded, subject)
}

// helped is an error in one line, and the help that it brings, or else the given one.
func helped(err error, otherwise string) (text, help string) {
	text, help, _ = strings.Cut(err.Error(), "\n   = help: ")
	return oneLine(text), oneLine(cmp.Or(help, otherwise))
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// locks takes a lock of its own and gives it back.
func locks(ctx context.Context, s acme.Storage) (text, help string) {
	name := "check_" + rand.Text()
	if err := s.Lock(ctx, name); err != nil {
		text, help := helped(err, "the storage is to create files exclusively (O_EXCL): some network file systems do not")
		return "no lock can be taken: " + text, help
	}
	if err := s.Unlock(context.WithoutCancel(ctx), name); err != nil {
		text, help := helped(err, "give the server's user the right to delete there")
		return "a lock cannot be given back: " + text, help
	}
	return "", ""
}

// othersLocks tells which locks are held: orders under way, or what a killed process
// has left.
func (r *run) othersLocks(ctx context.Context, subject string) {
	keys, _ := r.conf.Storage.List(ctx, "locks", true) // without one there is nothing to list
	var fresh, old []string
	for _, key := range keys {
		info, err := r.conf.Storage.Stat(ctx, key)
		if err != nil || !strings.HasSuffix(key, ".lock") {
			continue // it was released just now
		}
		name := quoted(strings.TrimSuffix(path.Base(key), ".lock"))
		if age := time.Since(info.Modified); age > time.Minute {
			old = append(old, fmt.Sprintf("%s (no sign of life since %s)", name, stamp(info.Modified)))
		} else {
			fresh = append(fresh, name)
		}
	}
	if len(fresh) > 0 {
		r.add(areaStorage, subject, Note, "these locks are held just now: "+list(fresh), "a server is at work with them; wait for its end before you order by hand")
	}
	if len(old) > 0 {
		r.add(areaStorage, subject, Note, "locks were left behind: "+list(old), "nothing is to be done: a server that wants one takes it over")
	}
}

// checkDirectory looks at rights and room.
func (r *run) checkDirectory(subject, dir string) {
	info, err := os.Stat(dir)
	if err != nil {
		return // the values tell
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		r.add(areaStorage, subject, Warn, fmt.Sprintf("others than its owner may enter the directory (mode %04o), which has private keys", mode), "chmod 700 "+dir)
	}
	const few, scarce = 64 << 10, 16 << 20
	left, err := r.space(dir)
	switch {
	case err != nil: // not known here
	case left.bytes < few || left.files == 0:
		r.add(areaStorage, subject, Fail, fmt.Sprintf("its file system is full (%d KiB and %d files left)", left.bytes>>10, left.files), "make room: a certificate that cannot be stored is ordered again and again")
	case left.bytes < scarce || left.files < 100:
		r.add(areaStorage, subject, Warn, fmt.Sprintf("its file system is nearly full (%d KiB and %d files left)", left.bytes>>10, left.files), "make room before the next renewal")
	}
}

// stored is a certificate in the storage.
type stored struct {
	key    string // without .crt
	leaf   *x509.Certificate
	damage string
}

// checkStored looks at the certificates of the names.
func (r *run) checkStored(ctx context.Context, subject string) {
	keys, err := r.conf.Storage.List(ctx, "certificates", true)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		text, help := helped(err, "give the server's user the right to read all directories in it")
		r.add(areaStorage, subject, Fail, "it cannot be listed: "+text, help)
		return
	}
	var all []stored
	for _, key := range keys {
		if base, ok := strings.CutSuffix(key, ".crt"); ok {
			all = append(all, r.load(ctx, base))
		}
	}
	for _, c := range all {
		if c.leaf != nil {
			r.leafs = append(r.leafs, c.leaf.Raw)
		}
	}
	for _, s := range r.names {
		r.checkAge(s, all)
	}
	for _, c := range all {
		if c.damage != "" {
			r.add(areaStorage, c.key, Warn, "this certificate is damaged: "+c.damage, "nothing is to be done: at its next start the server puts it aside and orders it anew; look at the disk, if it happens again")
		}
	}
}

// load reads a certificate with its key and facts.
func (r *run) load(ctx context.Context, base string) stored {
	c := stored{key: base}
	var data [3][]byte
	for i, end := range []string{".crt", ".key", ".json"} {
		var err error
		if data[i], err = r.conf.Storage.Load(ctx, base+end); err != nil || len(data[i]) == 0 {
			c.damage = base + end + " is missing, empty or cannot be read"
			return c
		}
	}
	pair, err := tls.X509KeyPair(data[0], data[1])
	switch {
	case err != nil:
		c.damage = oneLine(err.Error())
	case !json.Valid(data[2]):
		c.damage = base + ".json is no JSON"
	default:
		c.leaf = pair.Leaf
	}
	return c
}

// checkAge tells of the newest certificate of a name.
func (r *run) checkAge(s *subject, all []stored) {
	var best *x509.Certificate
	for _, c := range all {
		if c.leaf != nil && holds(c.leaf, s) && (best == nil || c.leaf.NotAfter.After(best.NotAfter)) {
			best = c.leaf
		}
	}
	if best == nil {
		if s.wrong == nil {
			r.add(areaStorage, s.name, Note, "there is no certificate yet", "it is ordered when the server starts")
		}
		return
	}
	left, life := time.Until(best.NotAfter), best.NotAfter.Sub(best.NotBefore)
	const logs = "look into the server's log why it was not renewed (or is the server not running?), then: edgeftp cert renew "
	switch until := stamp(best.NotAfter); {
	case time.Until(best.NotBefore) > 0:
		r.add(areaStorage, s.name, Fail, "the certificate is valid only from "+stamp(best.NotBefore)+" on", "compare this machine's clock with another one")
	case left <= 0:
		r.add(areaStorage, s.name, Fail, "the certificate has expired, on "+until, logs+s.name)
	case left < life/10:
		r.add(areaStorage, s.name, Warn, fmt.Sprintf("the certificate ends soon, on %s, and a new one is overdue", until), logs+s.name)
	default:
		r.add(areaStorage, s.name, OK, fmt.Sprintf("there is a certificate from %s to %s", stamp(best.NotBefore), until), "")
	}
}

// holds reports whether a certificate was ordered for the name.
func holds(leaf *x509.Certificate, s *subject) bool {
	if s.ip.IsValid() {
		return slices.ContainsFunc(leaf.IPAddresses, net.IP(s.ip.AsSlice()).Equal)
	}
	return slices.Contains(leaf.DNSNames, s.name)
}
