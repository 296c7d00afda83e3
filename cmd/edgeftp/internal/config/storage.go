package config

import (
	"slices"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

type fileStorage struct {
	Mount      string `json:"mount"`
	Backend    string `json:"backend"`
	Root       string `json:"root"`
	Durability string `json:"durability"`
	Mounts     string `json:"mounts"`
}

// durabilities and mountings are the file's words for what package vfs numbers.
func durabilities() []string { return []string{"full", "file", "none"} }
func mountings() []string    { return []string{"serve", "refuse"} }

// storageFile is the reverse of checker.storage.
func (c *Config) storageFile() []fileStorage {
	return []fileStorage{{Mount: "/", Backend: "local", Root: c.Root,
		Durability: durabilities()[c.Durability], Mounts: mountings()[c.Mounts]}}
}

func (c *checker) storage(f *file, conf *Config) {
	if len(f.Storage) == 0 {
		return
	}
	s := &f.Storage[0]
	conf.Root = beside(c.dir, s.Root)
	// What the schema has refused is found nowhere, and is as strict as the default.
	conf.Durability = vfs.Durability(max(0, slices.Index(durabilities(), s.Durability)))
	conf.Mounts = vfs.Mounts(max(0, slices.Index(mountings(), s.Mounts)))
	c.root([]string{"storage", "0", "root"}, conf.Root, conf)
}
