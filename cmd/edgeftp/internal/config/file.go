package config

import (
	"encoding/json"
	"fmt"
)

// file is the configuration file as plain values. It fits the schema, with every
// default filled in, and is what Config is made from and written back as.
type file struct {
	Version      int              `json:"version"`
	Instance     fileInstance     `json:"instance"`
	Listeners    []fileListener   `json:"listeners"`
	Certificates fileCertificates `json:"certificates"`
	Limits       fileLimits       `json:"limits"`
	Transfer     fileTransfer     `json:"transfer"`
	Users        fileUsers        `json:"users"`
	Storage      []fileStorage    `json:"storage"`
	Policies     filePolicies     `json:"policies"`
	Admin        fileAdmin        `json:"admin"`
	Telemetry    fileTelemetry    `json:"telemetry"`
}

type fileInstance struct {
	Name         string `json:"name"`
	StateDir     string `json:"state_dir"`
	DrainTimeout string `json:"drain_timeout"`
}

type fileListener struct {
	Name     string      `json:"name"`
	Protocol string      `json:"protocol"`
	Address  oneOrMore   `json:"address"`
	TLS      fileTLS     `json:"tls"`
	Passive  filePassive `json:"passive"`
	Active   fileActive  `json:"active"`
	Banner   string      `json:"banner"`
}

type fileTLS struct {
	Control      string `json:"control"`
	Data         string `json:"data,omitempty"`
	Certificate  string `json:"certificate"`
	MinVersion   string `json:"min_version"`
	SessionReuse string `json:"session_reuse"`
}

type filePassive struct {
	Ports     textOrNumber `json:"ports,omitempty"`
	Advertise string       `json:"advertise,omitempty"`
	SamePeer  bool         `json:"same_peer"`
	Timeout   string       `json:"timeout"`
}

type fileActive struct {
	Enabled         bool   `json:"enabled"`
	PrivilegedPorts bool   `json:"privileged_ports"`
	Timeout         string `json:"timeout"`
}

type fileCertificates struct {
	Files []fileCertificate `json:"files"`
}

type fileCertificate struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
}

type fileLimits struct {
	Sessions struct {
		Total int `json:"total"`
		PerIP int `json:"per_ip"`
	} `json:"sessions"`
	Timeouts struct {
		Idle          string `json:"idle"`
		Login         string `json:"login"`
		TransferStall string `json:"transfer_stall"`
	} `json:"timeouts"`
	Logins struct {
		Attempts          int    `json:"attempts"`
		DelayAfterFailure string `json:"delay_after_failure"`
	} `json:"logins"`
}

type fileTransfer struct {
	Sendfile bool `json:"sendfile"`
}

type fileUsers struct {
	List      []fileUser `json:"list"`
	Anonymous struct {
		Enabled bool   `json:"enabled"`
		Perm    string `json:"perm"`
	} `json:"anonymous"`
}

type fileUser struct {
	Name         string `json:"name"`
	PasswordHash string `json:"password_hash"`
	Perm         string `json:"perm"`
	Home         string `json:"home"`
	Group        string `json:"group,omitempty"`
	MaxSessions  int    `json:"max_sessions,omitempty"`
	MaxFileSize  string `json:"max_file_size,omitempty"`
	Bandwidth    struct {
		Down string `json:"down,omitempty"`
		Up   string `json:"up,omitempty"`
	} `json:"bandwidth"`
}

type fileStorage struct {
	Mount   string `json:"mount"`
	Backend string `json:"backend"`
	Root    string `json:"root"`
}

type filePolicies struct {
	Modules []fileModule `json:"modules"`
}

type fileModule struct {
	Name     string          `json:"name"`
	Source   string          `json:"source"`
	Settings json.RawMessage `json:"settings,omitempty"`
}

type fileAdmin struct {
	Socket string `json:"socket,omitempty"`
}

type fileTelemetry struct {
	Log struct {
		Format string `json:"format"`
		Level  string `json:"level"`
	} `json:"log"`
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
