package config

import (
	"fmt"
	"os"
)

// Log says how the server logs.
type Log struct {
	Format string // "human" or "json"
	Level  string // "debug", "info", "warn" or "error"
	Prefix string // template for messages about a session (pi.ParsePrefix), or empty
}

type fileTelemetry struct {
	Log struct {
		Format string `json:"format"`
		Level  string `json:"level"`
		Prefix string `json:"prefix,omitempty"`
	} `json:"log"`
}

type fileEvents struct {
	File string `json:"file,omitempty"`
}

// LogEvents puts the event log that the flag --events names in the place of the
// file's. The error is an [*Error] that names the flag.
func (c *Config) LogEvents(file string) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	r := newReport(locateFlag)
	(&checker{report: r, outside: thisMachine(), dir: dir}).events(file, c)
	return r.err("")
}

// events finds the event log, which must be out of clients' reach.
func (c *checker) events(file string, conf *Config) {
	if file == "" {
		return
	}
	path := []string{"events", "file"}
	conf.Events = beside(c.dir, file)
	for _, root := range conf.Roots() {
		if root != "" && within(c.real(root), c.real(conf.Events)) {
			c.at(path, fmt.Sprintf("the event log %s lies inside the root %s: clients could reach it", conf.Events, root), "put it beside the root")
		}
	}
	if info, err := c.stat(conf.Events); err == nil && info.IsDir() {
		c.at(path, fmt.Sprintf("the event log %s is a directory", conf.Events), "name a file in it")
	}
}
