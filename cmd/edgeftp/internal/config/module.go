package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Module is a policy module.
type Module struct {
	Name   string
	Source string // a file, or a directory with a Go main package
	// Settings is a JSON object for the module, nil if the file has none.
	Settings json.RawMessage
}

type filePolicies struct {
	Modules []fileModule `json:"modules"`
}

type fileModule struct {
	Name     string          `json:"name"`
	Source   string          `json:"source"`
	Settings json.RawMessage `json:"settings,omitempty"`
}

// nativePolicies are the names of the policies that the server itself adds.
func nativePolicies() []string { return []string{"users", "anonymous", "eventlog"} }

func (c *checker) modules(f *file) []Module {
	var list []Module
	names := map[string]bool{}
	for i, m := range f.Policies.Modules {
		path := []string{"policies", "modules", strconv.Itoa(i)}
		c.unique(names, sub(path, "name"), m.Name, "policy")
		if slices.Contains(nativePolicies(), m.Name) {
			c.at(sub(path, "name"), fmt.Sprintf("%q is the name of a policy of the server's own", m.Name), "give the module another name")
		}
		source := sub(path, "source")
		if strings.Contains(m.Source, "://") {
			c.at(source, "sources other than files are not built yet", "name a .wasm file, or a directory with a Go main package")
		}
		made := Module{Name: m.Name, Source: beside(c.dir, m.Source), Settings: m.Settings}
		c.exists(source, made.Source, "policy source")
		list = append(list, made)
	}
	return list
}
