package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

// maxSecret is how many bytes a file behind ${file:} may have.
const maxSecret = 64 << 10

// outside is what a configuration asks of the machine. Tests replace it.
type outside struct {
	getenv func(name string) (string, bool)
	read   func(path string, most int64) ([]byte, error)
	stat   func(path string) (fs.FileInfo, error)
	real   func(path string) string // without symbolic links

	list    func(dir string) error     // whether a directory can be read
	bind    func(address string) error // whether it can be listened on
	running func(socket string) bool   // whether a server has this admin socket

	congestion func() dtp.Algorithms // which the kernel has
	isRoot     func() bool           // whether the process may choose any of them

	parsed func(doc *document, dir string) // is shown the file, nil shows it nobody
}

func thisMachine() outside {
	return outside{getenv: os.LookupEnv, read: readFile, stat: os.Stat, real: realPath, list: list, bind: bind, running: running,
		congestion: dtp.ReadAlgorithms, isRoot: func() bool { return os.Geteuid() == 0 }}
}

// list reads a name of a directory.
func list(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // opened for reading alone
	if _, err = f.Readdirnames(1); errors.Is(err, io.EOF) {
		err = nil
	}
	return err
}

// readFile reads a file of at most most bytes.
func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading alone
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("it is longer than %d KiB", most>>10)
	}
	return data, err
}

// expander replaces ${env:NAME}, ${file:PATH} and ${cred:NAME} in s. $${ stands
// for the characters ${ themselves. Relative paths are beside the file in dir.
//
// With keep, s is a template: ${keep} stays as it is, and so does $${, so that
// the two can still be told apart.
func (o outside) expander(dir string) func(s, keep string) (string, error) {
	return func(s, keep string) (string, error) {
		opened := "${"
		if keep != "" {
			opened = "$${"
		}
		var b strings.Builder
		for {
			before, rest, found := strings.Cut(s, "${")
			if !found {
				b.WriteString(s)
				return b.String(), nil
			}
			if escaped, yes := strings.CutSuffix(before, "$"); yes {
				b.WriteString(escaped + opened)
				s = rest
				continue
			}
			b.WriteString(before)
			name, after, closed := strings.Cut(rest, "}")
			if !closed {
				return "", fault{"a ${ is not closed", "close it with }, or write $${ for the characters themselves"}
			}
			s = after
			if name == keep && keep != "" {
				b.WriteString("${" + name + "}")
				continue
			}
			v, err := o.secret(name, dir)
			if err != nil {
				return "", err
			}
			b.WriteString(strings.ReplaceAll(v, "${", opened))
		}
	}
}

// secret returns what stands behind one ${...}.
func (o outside) secret(name, dir string) (string, error) {
	kind, arg, _ := strings.Cut(name, ":")
	switch kind {
	case "env":
		if v, set := o.getenv(arg); set {
			return v, nil
		}
		return "", fault{fmt.Sprintf("the environment variable %s is not set", arg), "set it, or write the value"}
	case "file":
		return o.secretFile(beside(dir, arg))
	case "cred":
		base, set := o.getenv("CREDENTIALS_DIRECTORY")
		switch {
		case !set:
			return "", fault{"there are no credentials: CREDENTIALS_DIRECTORY is not set", "systemd sets it for units with LoadCredential="}
		case arg == "" || arg == "." || arg == ".." || strings.ContainsRune(arg, '/'):
			return "", fault{fmt.Sprintf("%q is no name of a credential", arg), "name it as LoadCredential= does"}
		}
		return o.secretFile(filepath.Join(base, arg))
	}
	help := "only ${env:NAME}, ${file:PATH} and ${cred:NAME} are; write $${ for the characters themselves"
	switch near := Nearest(kind, []string{"env", "file", "cred"}); {
	case near != "" && arg != "":
		help = fmt.Sprintf("did you mean ${%s:%s}? (%s)", near, arg, help)
	case arg == "" && name != "" && name == strings.ToUpper(name):
		help = fmt.Sprintf("did you mean ${env:%s}? (%s)", name, help)
	}
	return "", fault{fmt.Sprintf("${%s} is not known here", name), help}
}

func (o outside) secretFile(path string) (string, error) {
	data, err := o.read(path, maxSecret)
	if err != nil {
		return "", fault{fmt.Sprintf("%s cannot be read: %s", path, reason(err)), "check the path, and that the server's user may read it"}
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), nil
}

// reason is the innermost message of a file error, without its path.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// beside makes a path absolute: relative ones are in dir.
func beside(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}
