package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// trustStore is where a kind of system keeps the authorities that it trusts.
type trustStore struct {
	name, title string
	dir         string // to which the operator adds some; empty: there is none
	update      string // the command that takes over what was added
	fresh       string // likewise, what was taken away
}

// trustStores are the systems that are known. Those with a directory are told apart by
// it, and by the program that update begins with.
func trustStores() []trustStore {
	return []trustStore{
		{"redhat", "Red Hat, Fedora and those like them", "/etc/pki/ca-trust/source/anchors", "update-ca-trust", "update-ca-trust"},
		{"arch", "Arch Linux", "/etc/ca-certificates/trust-source/anchors", "update-ca-trust", "update-ca-trust"},
		{"suse", "SUSE", "/etc/pki/trust/anchors", "update-ca-certificates", "update-ca-certificates --fresh"},
		{"debian", "Debian, Ubuntu, Alpine: ca-certificates", "/usr/local/share/ca-certificates", "update-ca-certificates", "update-ca-certificates --fresh"},
		{name: "p11-kit", title: "p11-kit", update: "trust"},
		{name: "macos", title: "macOS"},
		{name: "windows", title: "Windows"},
	}
}

func systemNames() (names []string) {
	for _, s := range trustStores() {
		names = append(names, s.name)
	}
	return names
}

// added is the beginning of the names of files that --install writes.
const added = "edgeftp-dev-"

// path is where the authority is put.
func (s *trustStore) path(a *devCert) string { return s.dir + "/" + added + a.short() + ".crt" }

// install are the commands that make a system trust the authority in file, which is
// quoted already.
func (s *trustStore) install(a *devCert, file string) []string {
	switch {
	case s.dir != "":
		return []string{"sudo cp " + file + " " + s.path(a), "sudo " + s.update}
	case s.name == "macos":
		return []string{"sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain " + file}
	case s.name == "windows":
		return []string{"certutil -addstore -f Root " + file}
	}
	return []string{"sudo trust anchor --store " + file}
}

// remove undoes install.
func (s *trustStore) remove(a *devCert, file string) []string {
	switch {
	case s.dir != "":
		return []string{"sudo rm " + s.path(a), "sudo " + s.fresh}
	case s.name == "macos":
		return []string{"sudo security remove-trusted-cert -d " + file,
			"sudo security delete-certificate -c " + shellWord(s.name, a.name()) + " /Library/Keychains/System.keychain"}
	case s.name == "windows":
		return []string{fmt.Sprintf("certutil -delstore Root %x", a.cert.SerialNumber)}
	}
	return []string{"sudo trust anchor --remove " + file}
}

// trustHost is the system that is to trust somebody. Tests have another.
type trustHost struct {
	goos string
	root string // before all paths of stores, empty for the system's own
	uid  int
	look func(program string) error
	run  func(ctx context.Context, line string) ([]byte, error)
}

func thisHost() trustHost {
	return trustHost{goos: runtime.GOOS, uid: os.Geteuid(),
		look: func(program string) error { _, err := exec.LookPath(program); return err },
		run: func(ctx context.Context, line string) ([]byte, error) {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			words := strings.Fields(line)
			return exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput()
		}}
}

// choose returns the store of a system, or of this one if it is not named.
func (h trustHost) choose(system string) (*trustStore, error) {
	for _, s := range trustStores() {
		if system == s.name || system == "" && h.has(&s) {
			return &s, nil
		}
	}
	if system != "" {
		return nil, exitWith(exitUsage, fmt.Errorf("--for: %q is not one of %s", system, strings.Join(systemNames(), ", ")))
	}
	return nil, exitWith(exitFailed, errors.New("this system keeps the authorities that it trusts in no way that is known here\n"+
		"   = help: look for ca-certificates or p11-kit among its packages; --for SYSTEM prints the commands of others"))
}

// has reports whether this system has a store.
func (h trustHost) has(s *trustStore) bool {
	switch s.name {
	case "macos":
		return h.goos == "darwin"
	case "windows":
		return h.goos == "windows"
	}
	if s.dir != "" {
		if info, err := os.Stat(h.root + s.dir); err != nil || !info.IsDir() {
			return false
		}
	}
	return h.goos == "linux" && h.look(s.update) == nil
}

// mayChange says why a store cannot be changed from here.
func (h trustHost) mayChange(s *trustStore, flag string) error {
	switch {
	case h.goos != "linux" || s.dir == "":
		return exitWith(exitFailed, fmt.Errorf("%s cannot do it on this system (%s); nothing was changed\n   = help: edgeftp cert trust prints the commands", flag, s.title))
	case h.uid != 0:
		return exitWith(exitFailed, fmt.Errorf("%s needs root; nothing was changed\n   = help: run it with sudo, and with the same --state-dir; edgeftp cert trust prints the commands", flag))
	}
	return nil
}

// add puts the authority into a store. After an error it is not there.
func (h trustHost) add(ctx context.Context, a *devCert, s *trustStore) (path string, out []byte, err error) {
	path = h.root + s.path(a)
	if err := create(path, []byte(a.pem()), 0o644); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", nil, err
	} else if err != nil { // the fingerprint is in its name, so it is this one
		if err := replace(path, []byte(a.pem())); err != nil {
			return "", nil, err
		}
	}
	if out, err = h.run(ctx, s.update); err != nil {
		err = fmt.Errorf("%s failed: %w\n%s   = %s was removed again", s.update, err, indentedLines(out), path)
		return "", nil, errors.Join(err, os.Remove(path))
	}
	return path, out, nil
}

// takeAway removes the authorities that add has put into a store.
func (h trustHost) takeAway(ctx context.Context, s *trustStore) (gone []string, out []byte, err error) {
	files, err := filepath.Glob(h.root + s.dir + "/" + added + "*.crt")
	if err != nil {
		return nil, nil, err
	}
	for _, path := range files {
		if _, err := readAuthority(path); err != nil {
			continue // somebody else's
		}
		if err := os.Remove(path); err != nil {
			return gone, nil, err
		}
		gone = append(gone, path)
	}
	if len(gone) == 0 {
		return nil, nil, nil
	}
	if out, err = h.run(ctx, s.fresh); err != nil {
		err = fmt.Errorf("%s was removed, and %s failed: %w\n%s   = help: run it again", strings.Join(gone, ", "), s.fresh, err, indentedLines(out))
	}
	return gone, out, err
}
