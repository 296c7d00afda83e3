package config

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
)

// maxFile is how many bytes a configuration file may have.
const maxFile = 1 << 20

// Load reads the configuration file at path. Relative paths in it are beside the
// file.
//
// The error is an [*Error] with everything that is wrong in the file; nothing of
// the file is in effect then.
//
// That another program has the port of a challenge is no error here: a server whose
// certificates are there, or whose listeners need none, is to start.
func Load(path string) (*Config, error) {
	machine := thisMachine()
	machine.bind = func(string) error { return nil }
	return load(path, machine)
}

// Validate is Load for the author of a file: it also finds the ports of challenges that
// another program has.
func Validate(path string) (*Config, error) { return load(path, thisMachine()) }

func load(path string, machine outside) (*Config, error) {
	data, err := machine.readConfig(path)
	if err != nil {
		return nil, err
	}
	return parseFile(path, data, machine)
}

func (o outside) readConfig(path string) ([]byte, error) {
	data, err := o.read(path, maxFile)
	if err != nil {
		return nil, &Error{File: path, Problems: []Problem{unreadable(err)}}
	}
	return data, nil
}

func parseFile(path string, data []byte, machine outside) (*Config, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	s, err := newSchema()
	if err != nil {
		return nil, err
	}
	return s.parse(path, filepath.Dir(abs), data, machine)
}

// unreadable says why a configuration file cannot be read.
func unreadable(err error) Problem {
	p := Problem{Text: "the configuration file cannot be read: " + reason(err), Help: "check the path"}
	switch {
	case errors.Is(err, syscall.EISDIR):
		p.Help = "name the file in it"
	case errors.Is(err, fs.ErrPermission):
		p.Help = "let the user that runs the server read it, and enter each directory above it"
	}
	return p
}

// parse reads data, the file called name in directory dir.
func (s *schema) parse(name, dir string, data []byte, machine outside) (*Config, error) {
	doc, problems := parseYAML(data)
	if problems != nil {
		return nil, &Error{File: name, Problems: problems}
	}
	doc.hide()
	if machine.parsed != nil {
		machine.parsed(doc, dir)
	}
	r := newReport(doc.locate)
	value := (&reader{report: r, doc: doc, expand: machine.expander(dir)}).mapping(doc.root, nil)
	v := &validator{report: r, schema: s, value: value, raw: doc.shown, under: doc.under, empty: doc.empty}
	conf, err := finish(v, &checker{report: r, outside: machine, dir: dir, source: doc.raw, given: doc.has})
	if err != nil {
		return nil, err
	}
	if err := r.err(name); err != nil {
		return nil, err
	}
	return conf, nil
}

// finish validates a value, fills in the defaults and makes the Config of what
// is left. Its own error is a fault of the program; those of the configuration
// are in the report.
func finish(v *validator, c *checker) (*Config, error) {
	v.run()
	v.schema.fill(v.schema.root, v.value)
	f, err := decode(v.value)
	if err != nil {
		return nil, err
	}
	return c.config(f), nil
}
