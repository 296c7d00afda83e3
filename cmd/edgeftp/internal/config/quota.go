package config

import (
	"fmt"
	"strconv"
)

// Quota is what may be stored. Zero in a field is no limit.
type Quota struct {
	Bytes, DayBytes, MonthBytes int64
	Files, DayFiles, MonthFiles int64
}

// Group is what holds for all users with a word.
type Group struct {
	Name    string
	Quota   Quota
	Folders []Folder
	Access
}

type fileQuota struct {
	Bytes      string `json:"bytes,omitempty"`
	Files      int64  `json:"files,omitempty"`
	DayBytes   string `json:"day_bytes,omitempty"`
	DayFiles   int64  `json:"day_files,omitempty"`
	MonthBytes string `json:"month_bytes,omitempty"`
	MonthFiles int64  `json:"month_files,omitempty"`
}

type fileGroup struct {
	Name    string       `json:"name"`
	Quota   fileQuota    `json:"quota"`
	Folders []fileFolder `json:"folders"`
	fileAccess
}

func (f *fileQuota) quota() Quota {
	return Quota{Bytes: size(f.Bytes), Files: f.Files, DayBytes: size(f.DayBytes), DayFiles: f.DayFiles,
		MonthBytes: size(f.MonthBytes), MonthFiles: f.MonthFiles}
}

func (q *Quota) file() fileQuota {
	return fileQuota{Bytes: formatSize(q.Bytes), Files: q.Files, DayBytes: formatSize(q.DayBytes), DayFiles: q.DayFiles,
		MonthBytes: formatSize(q.MonthBytes), MonthFiles: q.MonthFiles}
}

func (c *checker) groups(list []fileGroup, path []string, conf *Config, o offers) []Group {
	var out []Group
	names := map[string]bool{}
	for i := range list {
		g, at := &list[i], sub(path, strconv.Itoa(i))
		c.unique(names, sub(at, "name"), g.Name, "group")
		out = append(out, Group{g.Name, g.Quota.quota(), c.folders(g.Folders, sub(at, "folders"), "", conf), c.access(&g.fileAccess, at, o)})
	}
	return out
}

// group reports a user's group that is nearly one of users.groups. It may be another
// word, which policies alone know; with a slip in it a quota would not hold.
func (c *checker) group(name string, path []string, conf *Config) {
	var names []string
	for i := range conf.Groups {
		if names = append(names, conf.Groups[i].Name); conf.Groups[i].Name == name {
			return
		}
	}
	if near := Nearest(name, names); name != "" && near != "" {
		c.at(path, fmt.Sprintf("there is no group %q", name), fmt.Sprintf("did you mean %q? (a group that policies alone know is to be called otherwise)", near))
	}
}

func groupsFile(list []Group) []fileGroup {
	out := []fileGroup{}
	for i := range list {
		out = append(out, fileGroup{list[i].Name, list[i].Quota.file(), foldersFile(list[i].Folders), list[i].Access.file()})
	}
	return out
}

// HasQuota reports whether anybody's storage is limited.
func (c *Config) HasQuota() bool {
	limited := c.Defaults.Quota != Quota{}
	for i := range c.Users {
		limited = limited || c.Users[i].Quota != nil && *c.Users[i].Quota != Quota{}
	}
	for i := range c.Groups {
		limited = limited || c.Groups[i].Quota != Quota{}
	}
	return limited
}
