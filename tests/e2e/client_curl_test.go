package e2e

import (
	"net/url"
	"os"
	"testing"
)

// curlClient is curl, with a session for each job: between the transfers of one
// session this curl sometimes waits for a second, when a server answers at once.
type curlClient struct{}

func (curlClient) facts() facts {
	return facts{
		name:  "curl",
		lacks: noTrees("curl moves files one by one"),
		notes: []string{
			"The certificate is verified in full (`--cacert`).",
			"Names are changed and things removed with `-Q` (raw commands).",
		},
		weak: func(f form) string {
			if f.version == "1.2" {
				return "curl with OpenSSL takes no session tickets over TLS 1.2"
			}
			return ""
		},
	}
}

func (curlClient) version(t *testing.T) string {
	return versionOf(t, `curl \d[\d.]*.* OpenSSL\S*`, "curl", "--version")
}

func (cl curlClient) do(c *cell, jobs ...job) error {
	flags := []string{"-q", "-sS", "-g", "--connect-timeout", "20", "-u", c.house.user + ":" + c.house.password}
	if c.form.version != "" {
		flags = append(flags, "--ssl-reqd", "--cacert", c.house.ca)
	}
	switch c.form.version {
	case "1.2":
		flags = append(flags, "--tlsv1.2", "--tls-max", "1.2")
	case "1.3":
		flags = append(flags, "--tlsv1.3")
	}
	for _, j := range jobs {
		args := append(flags[:len(flags):len(flags)], cl.job(c, j)...)
		if _, err := c.exec(program{name: needed(c.t, "curl"), args: args}); err != nil {
			return err
		}
	}
	return nil
}

// job returns the arguments for one.
func (curlClient) job(c *cell, j job) []string {
	folder := c.url("/" + url.PathEscape(j.Folder) + "/")
	file := folder + url.PathEscape(j.Name)
	quote := func(commands ...string) []string {
		args := []string{"-I", folder, "-o", os.DevNull} // no data connection
		for _, q := range commands {
			args = append(args, "-Q", q)
		}
		return args
	}
	switch j.Task {
	case list:
		return []string{folder, "-o", j.Local}
	case put:
		return []string{"-T", j.Local, file}
	case putOn:
		return []string{"-C", "-", "-T", j.Local, file}
	case get:
		return []string{"-o", j.Local, file}
	case getOn:
		return []string{"-C", "-", "-o", j.Local, file}
	case rename:
		return quote("RNFR "+j.path(), "RNTO /"+j.Folder+"/"+j.To)
	case remove:
		return quote("DELE " + j.path())
	case mkdir:
		return quote("MKD " + j.path())
	}
	return quote("RMD " + j.path())
}
