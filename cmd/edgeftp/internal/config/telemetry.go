package config

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Log says how the server logs.
type Log struct {
	Format   string // "human" or "json"
	Level    string // "debug", "info", "warn" or "error"
	Prefix   string // template for messages about a session (pi.ParsePrefix), or empty
	File     string // to which it is appended; empty is standard error
	Commands string // "off", "summary" or "all": what of commands is told at the level debug
	// Redact are the fields that no log tells: "user", "peer", "path".
	Redact []string
}

// Metrics is where figures are shown.
type Metrics struct {
	Listen string // HOST:PORT of this machine, or empty
	Path   string
}

// AccessLog is the log of transfers.
type AccessLog struct {
	File     string // or empty
	Format   string // "xferlog", "common" or "json"
	Commands bool
}

type fileTelemetry struct {
	Log struct {
		Format   string `json:"format"`
		Level    string `json:"level"`
		Prefix   string `json:"prefix,omitempty"`
		File     string `json:"file,omitempty"`
		Commands string `json:"commands"`

		Redact []string `json:"redact,omitempty"`
	} `json:"log"`
	Metrics struct {
		Listen string `json:"listen,omitempty"`
		Path   string `json:"path"`
	} `json:"metrics"`
	Audit     fileAudit `json:"audit"`
	AccessLog struct {
		File     string `json:"file,omitempty"`
		Format   string `json:"format"`
		Commands bool   `json:"commands"`
	} `json:"access_log"`
}

type fileEvents struct {
	File  string        `json:"file,omitempty"`
	Sinks []fileWebhook `json:"sinks"`
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
	conf.Events = beside(c.dir, file)
	c.logFile([]string{"events", "file"}, "event log", conf.Events, conf)
}

// telemetry finds the access log, and what shows figures.
func (c *checker) telemetry(f *fileTelemetry, conf *Config) {
	if f.Log.File != "" {
		conf.Log.File = beside(c.dir, f.Log.File)
		c.logFile([]string{"telemetry", "log", "file"}, "log", conf.Log.File, conf)
	}
	for field, names := range map[string][]string{"user": {"username"}, "peer": {"remote_ip", "remote_port"}} {
		for _, name := range names {
			if slices.Contains(f.Log.Redact, field) && strings.Contains(f.Log.Prefix, "%("+name+")") {
				c.at([]string{"telemetry", "log", "prefix"}, "tells "+name+", and redact says that no log tells "+field, "leave %("+name+")s out of it")
			}
		}
	}
	path := []string{"telemetry", "access_log"}
	conf.Metrics = Metrics(f.Metrics)
	conf.AccessLog = AccessLog(f.AccessLog)
	if f.AccessLog.File != "" {
		conf.AccessLog.File = beside(c.dir, f.AccessLog.File)
		c.logFile(sub(path, "file"), "access log", conf.AccessLog.File, conf)
	}
	c.logsApart(conf)
	if f.AccessLog.Commands && f.AccessLog.Format == "xferlog" {
		c.at(sub(path, "commands"), "xferlog has no form for commands", "choose the format common or json")
	}
}

// logsApart holds each log to a file of its own: two of them would write into each other's
// lines.
func (c *checker) logsApart(conf *Config) {
	seen := map[string]string{}
	for _, l := range []struct {
		path       []string
		what, file string
	}{{[]string{"events", "file"}, "event log", conf.Events}, {[]string{"telemetry", "log", "file"}, "log", conf.Log.File},
		{[]string{"telemetry", "access_log", "file"}, "access log", conf.AccessLog.File}} {
		if l.file == "" {
			continue
		}
		if first := seen[c.real(l.file)]; first != "" {
			c.at(l.path, fmt.Sprintf("the %s %s is the %s as well", l.what, l.file, first), "give each a file of its own")
		}
		seen[c.real(l.file)] = l.what
	}
}

// logFile holds a log to where clients do not reach it.
func (c *checker) logFile(path []string, what, file string, conf *Config) {
	for _, root := range conf.Roots() {
		if root != "" && within(c.real(root), c.real(file)) {
			c.at(path, fmt.Sprintf("the %s %s lies inside the root %s: clients could reach it", what, file, root), "put it beside the root")
		}
	}
	if info, err := c.stat(file); err == nil && info.IsDir() {
		c.at(path, fmt.Sprintf("the %s %s is a directory", what, file), "name a file in it")
	}
}

// checkLocal is HOST:PORT that nobody but this machine reaches.
func checkLocal(s string) error {
	host, err := parseAddress(s)
	if err == nil && !isLoopback(host) {
		return fault{"can be reached from other machines, and whoever reaches it may read the figures", "write 127.0.0.1:9121, and put a proxy before it that asks who is there"}
	}
	return err
}
