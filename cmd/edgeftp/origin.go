package main

import (
	"cmp"
	"errors"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/redact"
)

// origin is where the configuration of a server is from.
type origin struct {
	file   string // absolute; empty: from flags
	format string // of --log, which the file does not change
	events string // of --events
	root   bool   // --allow-root
}

// loaded is a configuration with where it is from.
type loaded struct {
	conf   *config.Config
	source *config.Source // nil: flags
	origin origin
	// takeOver is --take-over.
	takeOver bool
	hide     *redact.Redactor // what logs do not tell, nil for nothing
}

// errFlags says that there is no file to read.
var errFlags = errors.New("the server was started by flags, and has no configuration file to read again")

// read reads the file anew.
func (o origin) read() ([]byte, error) {
	if o.file == "" {
		return nil, errFlags
	}
	return config.Read(o.file)
}

// parse makes the configuration of a text that stands in the file, or could.
func (o origin) parse(text []byte) (*config.Config, *config.Source, error) {
	conf, source, err := config.Parse(cmp.Or(o.file, "edgeftp.yaml"), text)
	if err != nil {
		return nil, nil, err
	}
	conf.Log.Format = cmp.Or(o.format, conf.Log.Format)
	conf.Instance.AllowRoot = conf.Instance.AllowRoot || o.root
	if err := conf.LogEvents(o.events); err != nil {
		return nil, nil, err
	}
	return conf, source, nil
}
