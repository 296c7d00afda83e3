package quickstart

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge"
)

// File is one that belongs to a plan.
type File struct {
	Path string      `json:"path"`
	Mode fs.FileMode `json:"-"`
	Text []byte      `json:"-"`
}

// Password is that of a user, which nothing keeps but its hash.
type Password struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// Written is what was made, in order.
type Written struct {
	Files     []File // without directories
	Passwords []Password

	plan *Plan
	made []string
}

// unitNames are the units by their paths below Dir.
func (p *Plan) unitNames() map[string]string {
	if !p.Systemd {
		return nil
	}
	const from = "packaging/systemd/"
	names := map[string]string{"systemd/edgeftp.service": from + "edgeftp.service", "systemd/edgeftp.service.d/low-ports.conf": from + "low-ports.conf"}
	if slices.ContainsFunc(p.ports(), low) {
		names["systemd/edgeftp.socket"] = from + "edgeftp.socket"
	}
	return names
}

// written are the paths of all files.
func (p *Plan) written() []string {
	list := []string{p.Config(), p.usersFile(), filepath.Join(p.Dir, "edgeftp.schema.json")}
	for name := range p.unitNames() {
		list = append(list, filepath.Join(p.Dir, filepath.FromSlash(name)))
	}
	slices.Sort(list)
	return list
}

// Files are the files of the plan, with those users.
func (p *Plan) Files(users []config.DraftUser) ([]File, error) {
	conf, err := p.draft().YAML(headConfig)
	if err != nil {
		return nil, err
	}
	people, err := config.DraftUsers(headUsers, users)
	if err != nil {
		return nil, err
	}
	private := fs.FileMode(0o600)
	if p.As != nil {
		private = 0o640 // root's, and to be read by whom the server is
	}
	list := []File{{p.Config(), private, conf}, {p.usersFile(), private, people}, {filepath.Join(p.Dir, "edgeftp.schema.json"), 0o644, config.Schema()}}
	names := p.unitNames()
	for _, path := range p.written() {
		rel, err := filepath.Rel(p.Dir, path)
		if err != nil {
			return nil, err
		}
		from := names[filepath.ToSlash(rel)]
		if from == "" {
			continue
		}
		text, err := edgeftp.Units().ReadFile(from)
		if err != nil {
			return nil, err
		}
		list = append(list, File{path, 0o644, p.fitted(text)})
	}
	return list, nil
}

// fitted is a unit with the plan's places and ports.
func (p *Plan) fitted(text []byte) []byte {
	var sockets []string
	for _, address := range p.Listen {
		if port, all := strings.CutPrefix(address, ":"); all {
			address = port
		}
		sockets = append(sockets, "ListenStream="+address)
	}
	for _, r := range [][2]string{{"/etc/edgeftp/edgeftp.yaml", p.Config()}, {"/var/lib/edgeftp", p.StateDir}, {"StateDirectory=edgeftp\n", "StateDirectory=" + strings.TrimPrefix(p.StateDir, "/var/lib/") + "\n"},
		{"/srv/ftp", p.Root}, {"User=edgeftp\n", "User=" + p.Account + "\n"}, {"Group=edgeftp\n", "Group=" + p.Account + "\n"}, {"ListenStream=21", strings.Join(sockets, "\n")}} {
		text = bytes.ReplaceAll(text, []byte(r[0]), []byte(r[1]))
	}
	return text
}

// Write makes passwords, directories and files. After an error nothing of them is left.
func (p *Plan) Write(ctx context.Context) (made *Written, err error) {
	w := &Written{plan: p}
	defer func() {
		if err != nil {
			w.Undo()
		}
	}()
	var users []config.DraftUser
	for _, name := range p.Users {
		password := config.MakeUpPassword()
		hash, err := edge.HashPassword(password)
		if err != nil {
			return nil, err
		}
		users, w.Passwords = append(users, config.DraftUser{Name: name, PasswordHash: hash}), append(w.Passwords, Password{name, password})
	}
	files, err := p.Files(users)
	if err != nil {
		return nil, err
	}
	if err := w.directories(files); err != nil {
		return nil, err
	}
	for _, f := range files {
		if err := context.Cause(ctx); err != nil {
			return nil, fmt.Errorf("interrupted: %w", err)
		}
		if err := w.file(f); err != nil {
			return nil, err
		}
		w.Files = append(w.Files, f)
	}
	return w, nil
}

// directories makes those of the plan. What users and the server write to is the server's.
func (w *Written) directories(files []File) error {
	p := w.plan
	type owned struct {
		path string
		mode fs.FileMode
		uid  int // 0 is who writes
	}
	account := 0
	if p.As != nil {
		account = int(p.As.UID)
	}
	list := []owned{{p.Dir, 0o750, 0}, {p.StateDir, 0o700, account}, {p.Root, 0o750, account}}
	for _, name := range p.Users {
		list = append(list, owned{p.home(name), 0o750, account})
	}
	for _, f := range files {
		list = append(list, owned{filepath.Dir(f.Path), 0o755, 0})
	}
	for _, d := range list {
		if err := w.directory(d.path, d.mode, d.uid); err != nil {
			return err
		}
	}
	return nil
}

// directory makes a directory that is not there, and those that it lies in.
func (w *Written) directory(path string, mode fs.FileMode, uid int) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if up := filepath.Dir(path); up != path {
		if err := w.directory(up, 0o755, 0); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, mode); err != nil {
		return err
	}
	w.made = append(w.made, path)
	return w.give(path, mode, uid)
}

// give sets mode and owner, whatever the umask is.
func (w *Written) give(path string, mode fs.FileMode, uid int) error {
	if err := os.Chmod(path, mode); err != nil || w.plan.As == nil {
		return err
	}
	return os.Lchown(path, uid, int(w.plan.As.GID))
}

// file makes a file that is not there.
func (w *Written) file(f File) error {
	out, err := os.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w.made = append(w.made, f.Path)
	_, err = out.Write(f.Text)
	if err == nil {
		err = out.Sync()
	}
	if closed := out.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return w.give(f.Path, f.Mode, 0)
}

// Undo removes what was made, and of directories those that are empty.
func (w *Written) Undo() {
	for _, path := range slices.Backward(w.made) {
		_ = os.Remove(path) // the error that led here is the one to tell
	}
	w.made = nil
}
