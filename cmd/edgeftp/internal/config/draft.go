package config

import (
	"errors"
	"io/fs"
	"os"
)

// Draft is a configuration for a machine on the Internet, of what its operator has to say.
// Everything else is as it is by default, and is not written.
type Draft struct {
	Listen       []string // HOST:PORT, at least one
	PassivePorts string   // A-B; empty is the kernel's choice
	Advertise    string   // the address that clients are told; empty is the one they came to
	Domains      []string // names of the certificate
	Email        string   // none is told to the authority
	CA           string   // letsencrypt
	AgreeToTerms bool
	Challenges   []string // those of the defaults
	StateDir     string
	Root         string // whose directories are the users'
	User         string // whom root becomes; empty is nobody
	UsersFile    string
	Perm         string // of users who have none of their own
}

// The draft as a file: the keys in the order of the schema.
type draftFile struct {
	Version      int               `json:"version"`
	Instance     draftInstance     `json:"instance"`
	Listeners    []draftListener   `json:"listeners"`
	Certificates draftCertificates `json:"certificates"`
	Users        draftUsers        `json:"users"`
	Storage      []draftStorage    `json:"storage"`
}

type draftInstance struct {
	StateDir string `json:"state_dir"`
	User     string `json:"user,omitempty"`
}

type draftListener struct {
	Name    string       `json:"name"`
	Address []string     `json:"address"`
	TLS     draftTLS     `json:"tls"`
	Passive draftPassive `json:"passive"`
}

type draftTLS struct {
	Certificate string `json:"certificate"`
}

type draftPassive struct {
	Ports     string `json:"ports,omitempty"`
	Advertise string `json:"advertise,omitempty"`
}

type draftCertificates struct {
	ACME draftACME `json:"acme"`
}

type draftACME struct {
	Domains      []string `json:"domains"`
	Email        string   `json:"email,omitempty"`
	AgreeToTerms bool     `json:"agree_to_terms"`
	CA           string   `json:"ca,omitempty"`
	Challenges   []string `json:"challenges,omitempty"`
}

type draftUsers struct {
	File     string        `json:"file"`
	Defaults draftDefaults `json:"defaults"`
}

type draftDefaults struct {
	Root string `json:"root"`
	Perm string `json:"perm"`
}

type draftStorage struct {
	Root string `json:"root"`
}

// YAML returns the file, below the head, with a few words on what can be asked about it.
func (d *Draft) YAML(head string) ([]byte, error) {
	return write(head, draftFile{
		Version:  1,
		Instance: draftInstance{StateDir: d.StateDir, User: d.User},
		Listeners: []draftListener{{Name: "main", Address: d.Listen, TLS: draftTLS{Certificate: auto},
			Passive: draftPassive{Ports: d.PassivePorts, Advertise: d.Advertise}}},
		Certificates: draftCertificates{ACME: draftACME{Domains: d.Domains, Email: d.Email, AgreeToTerms: d.AgreeToTerms, CA: d.CA, Challenges: d.Challenges}},
		Users:        draftUsers{File: d.UsersFile, Defaults: draftDefaults{Root: d.Root + "/${user}", Perm: d.Perm}},
		Storage:      []draftStorage{{Root: d.Root}},
	}, map[string]string{
		"instance.state_dir":           "# Keys, certificates, counters, unfinished uploads. Back it up: edgeftp backup.",
		"instance.user":                "# Whom root becomes as soon as the ports are open.",
		"listeners":                    "# FTP with AUTH TLS: no login and no byte of a file goes in the clear.",
		"listeners[0].passive":         "# The firewall has to let these in, too: one for each transfer that runs.",
		"certificates.acme.challenges": "# What proves the names: docs/certificates.md. Another program has the port of the other.",
		"users.file":                   "# Names and hashes of passwords. edgeftp user add keeps users without a restart.",
		"users.defaults.root":          "# Each user's own directory. It has to exist, and to belong to whom the server is.",
		"storage":                      "# What users without a directory of their own would see.",
	})
}

// Problems are the faults of the draft itself: those that a machine could not mend on which
// everything is there that it names.
func (d *Draft) Problems() ([]Problem, error) {
	text, err := d.YAML("")
	if err != nil {
		return nil, err
	}
	machine := thisMachine()
	machine.bind = func(string) error { return nil }
	machine.stat = func(string) (fs.FileInfo, error) { return os.Stat(string(os.PathSeparator)) } // a directory
	machine.read = func(string, int64) ([]byte, error) { return DraftUsers("", nil) }
	_, err = parseFile("edgeftp.yaml", text, machine)
	var faults *Error
	if errors.As(err, &faults) {
		return faults.Problems, nil
	}
	return nil, err
}

// DraftUser is a user whose settings are the defaults.
type DraftUser struct {
	Name         string `json:"name"`
	PasswordHash string `json:"password_hash"`
}

// DraftUsers returns a file of users, below the head.
func DraftUsers(head string, users []DraftUser) ([]byte, error) {
	return write(head, struct {
		Version int         `json:"version"`
		Users   []DraftUser `json:"users"`
	}{1, append([]DraftUser{}, users...)}, nil)
}
