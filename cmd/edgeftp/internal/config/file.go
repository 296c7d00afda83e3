package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// file is the configuration file as plain values. It fits the schema, with every
// default filled in, and is what Config is made from and written back as. The
// parts that are large stand beside what they are about.
type file struct {
	Version      int              `json:"version"`
	Instance     fileInstance     `json:"instance"`
	Listeners    []fileListener   `json:"listeners"`
	Certificates fileCertificates `json:"certificates"`
	Limits       fileLimits       `json:"limits"`
	Defender     fileDefender     `json:"defender"`
	Listing      fileListing      `json:"listing"`
	Bandwidth    fileBandwidth    `json:"bandwidth"`
	Transfer     fileTransfer     `json:"transfer"`
	Users        fileUsers        `json:"users"`
	Hosts        []fileHost       `json:"hosts"`
	Storage      []fileStorage    `json:"storage"`
	Policies     filePolicies     `json:"policies"`
	Events       fileEvents       `json:"events"`
	Notify       fileNotify       `json:"notify"`
	Sandbox      fileSandbox      `json:"sandbox"`
	Admin        fileAdmin        `json:"admin"`
	Telemetry    fileTelemetry    `json:"telemetry"`
	I18n         fileLanguages    `json:"i18n"`
}

type fileInstance struct {
	Name         string       `json:"name"`
	StateDir     string       `json:"state_dir"`
	DrainTimeout string       `json:"drain_timeout"`
	User         textOrNumber `json:"user,omitempty"`
	AllowRoot    bool         `json:"allow_root"`
}

type fileListing struct {
	HideDotFiles bool `json:"hide_dot_files"`
}

type fileSandbox struct {
	Landlock string `json:"landlock"`
	Seccomp  string `json:"seccomp"`
}

// oneOrMore is a string, or a list of them.
type oneOrMore []string

// UnmarshalJSON implements json.Unmarshaler.
func (o *oneOrMore) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		*o = make([]string, 1)
		return json.Unmarshal(data, &(*o)[0])
	}
	return json.Unmarshal(data, (*[]string)(o))
}

// textOrNumber is a string that YAML may take for a number.
type textOrNumber string

// UnmarshalJSON implements json.Unmarshaler.
func (t *textOrNumber) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, (*string)(t))
	}
	*t = textOrNumber(data)
	return nil
}

func (t textOrNumber) duration() time.Duration { return duration(string(t)) }

// written is a duration as the file has it.
func written(d time.Duration) textOrNumber { return textOrNumber(formatDuration(d)) }

// joined is one text or number, or a list of them, which is kept as one text with
// commas.
type joined string

// UnmarshalJSON implements json.Unmarshaler.
func (j *joined) UnmarshalJSON(data []byte) error {
	if len(data) == 0 || data[0] != '[' {
		return (*textOrNumber)(j).UnmarshalJSON(data)
	}
	var list []textOrNumber
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	var parts []string
	for _, part := range list {
		if part != "null" { // what the schema refused
			parts = append(parts, string(part))
		}
	}
	*j = joined(strings.Join(parts, ","))
	return nil
}

// decode reads a value that fits the schema.
func decode(value any) (*file, error) {
	data, err := marshal(value)
	if err != nil {
		return nil, err
	}
	f := &file{}
	if err := json.Unmarshal(data, f); err != nil {
		return nil, fmt.Errorf("the schema and the server disagree: %w", err)
	}
	return f, nil
}
