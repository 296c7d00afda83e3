package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

type fileStorage struct {
	Mount      string `json:"mount"`
	Backend    string `json:"backend"`
	Root       string `json:"root"`
	Durability string `json:"durability"`
	Mounts     string `json:"mounts"`
	ReadOnly   bool   `json:"read_only"`
}

// durabilities and mountings are the file's words for what package vfs numbers.
func durabilities() []string { return []string{"full", "file", "none"} }
func mountings() []string    { return []string{"serve", "refuse"} }

// storageFile is the reverse of checker.storage.
func (c *Config) storageFile() []fileStorage {
	made := fileStorage{Mount: "/", Backend: "local", Root: c.Root,
		Durability: durabilities()[c.Durability], Mounts: mountings()[c.Mounts], ReadOnly: c.ReadOnly}
	out := []fileStorage{made}
	for _, f := range c.Folders {
		made.Mount, made.Root, made.ReadOnly = f.Path, f.root(), f.ReadOnly
		out = append(out, made)
	}
	return out
}

func (c *checker) storage(f *file, conf *Config) {
	path := []string{"storage"}
	if len(f.Storage) == 0 || c.isFaulty(path) {
		return
	}
	top := slices.IndexFunc(f.Storage, func(s fileStorage) bool { return s.Mount == "/" })
	if top < 0 {
		if !slices.ContainsFunc(f.Storage, func(s fileStorage) bool { return s.Mount == "" }) { // what the schema refused
			c.key(path, "nothing is served at /", "let one entry have mount: /, which is the default")
		}
		return
	}
	s := &f.Storage[top]
	conf.Root, conf.ReadOnly = beside(c.dir, s.Root), s.ReadOnly
	// What the schema has refused is found nowhere, and is as strict as the default.
	conf.Durability = vfs.Durability(max(0, slices.Index(durabilities(), s.Durability)))
	conf.Mounts = vfs.Mounts(max(0, slices.Index(mountings(), s.Mounts)))
	c.root(sub(path, strconv.Itoa(top), "root"), conf.Root, conf)
	for i := range f.Storage {
		if i != top {
			c.mount(&f.Storage[i], s, sub(path, strconv.Itoa(i)), conf)
		}
	}
	c.writableAround(f, conf)
}

// mount makes a folder of an entry of storage that is not served at /.
func (c *checker) mount(s, top *fileStorage, path []string, conf *Config) {
	if s.Mount == "" {
		return
	}
	if s.Mount == "/" || slices.ContainsFunc(conf.Folders, func(o Folder) bool { return o.Path == s.Mount }) {
		c.at(sub(path, "mount"), fmt.Sprintf("something is mounted at %q already", s.Mount), "give each entry a mount of its own")
		return
	}
	for _, k := range []struct{ key, is, at string }{{"durability", s.Durability, top.Durability}, {"mounts", s.Mounts, top.Mounts}} {
		if _, given := c.source(sub(path, k.key)); given && k.is != k.at {
			c.at(sub(path, k.key), fmt.Sprintf("%s is said once, by the entry of /, and holds for every directory", k.key), "remove it here")
		}
	}
	made := Folder{Path: s.Mount, ReadOnly: s.ReadOnly}
	made.Root = strings.ReplaceAll(beside(c.dir, s.Root), "${", "$${") // it is no template
	if s.Root != "" {
		c.folderRoot(&made, path, "", conf)
	}
	conf.Folders = append(conf.Folders, made)
}

// writableAround reports a read-only directory that lies in one that may be changed, at
// another path: there it could be.
func (c *checker) writableAround(f *file, conf *Config) {
	for i := range f.Storage {
		inner := &f.Storage[i]
		path := []string{"storage", strconv.Itoa(i), "read_only"}
		if !inner.ReadOnly || c.isFaulty(path[:2]) || inner.Root == "" {
			continue
		}
		for j := range f.Storage {
			outer := &f.Storage[j]
			if i == j || outer.ReadOnly || outer.Root == "" {
				continue
			}
			if a, b := c.real(beside(c.dir, outer.Root)), c.real(beside(c.dir, inner.Root)); within(a, b) {
				c.at(path, fmt.Sprintf("the directory %s lies in %s, which may be changed: clients could change it by way of %s", inner.Root, outer.Root, outer.Mount), "keep it beside that one, or let that one be read_only as well")
			}
		}
	}
}
