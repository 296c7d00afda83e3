package e2e

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

// wgetClient is wget, with a session for each job.
type wgetClient struct{}

func (wgetClient) facts() facts {
	const reads = "wget only reads"
	return facts{
		name:  "wget",
		lacks: map[task]string{put: reads, putOn: reads, rename: reads, remove: reads, mkdir: reads, rmdir: reads, putTree: reads},
		notes: []string{
			"The certificate is verified in full (`--ca-certificate`).",
			"The listing is the one that `--no-remove-listing` keeps.",
		},
	}
}

func (wgetClient) version(t *testing.T) string {
	return versionOf(t, `GNU Wget \S+`, "wget", "--version")
}

func (wgetClient) do(c *cell, jobs ...job) error {
	flags := []string{"--no-config", "-nv", "--tries=1", "--timeout=20", "--user=" + c.house.user, "--password=" + c.house.password}
	if c.form.version != "" {
		flags = append(flags, "--ca-certificate="+c.house.ca, "--ciphers=NORMAL:-VERS-ALL:+VERS-TLS"+c.form.version)
	}
	base := "ftps://" + c.addr + "/"
	switch {
	case c.form.version == "":
		base = "ftp://" + c.addr + "/"
	case c.form.implicit:
		flags = append(flags, "--ftps-implicit")
	}
	for _, j := range jobs {
		folder := base + url.PathEscape(j.Folder) + "/"
		args := append(flags[:len(flags):len(flags)], "-O", j.Local, folder+url.PathEscape(j.Name))
		switch j.Task {
		case list:
			args = append(flags[:len(flags):len(flags)], "--no-remove-listing", "-O", c.here("index.html"), folder)
		case getOn:
			args = append(args, "-c")
		case getTree:
			args = append(flags[:len(flags):len(flags)], "-r", "-nH", "--cut-dirs=1", "-P", filepath.Dir(j.Local), folder+url.PathEscape(j.Name)+"/")
		}
		if _, err := c.exec(program{name: needed(c.t, "wget"), args: args}); err != nil {
			return err
		}
		if j.Task == list {
			if err := os.Rename(c.here(".listing"), j.Local); err != nil {
				return err
			}
		}
	}
	return nil
}
