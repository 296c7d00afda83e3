package e2e

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// ncftpClient is ncftp. It reads its commands from standard input and ends with
// exit code 0 whatever the server says.
type ncftpClient struct{}

func (ncftpClient) facts() facts {
	return facts{
		name:  "ncftp",
		speak: onlyPlain("ncftp has no TLS"),
		notes: []string{
			"An upload is resumed by `ncftpput -z -s`, the rest is done in one session of `ncftp`.",
			"A tree is fetched with `get -R -T` from the directory in which the session began; having gone to another one, ncftp loses its way.",
			"Without `-s` ncftpput sends a large file from its beginning after `REST`, and spoils it (its `sendfile` is told no offset).",
		},
	}
}

func (ncftpClient) version(t *testing.T) string {
	return versionOf(t, `NcFTP \d[\d.]*`, "ncftp", "--version")
}

// complaint is what ncftp says when something went wrong.
var complaint = regexp.MustCompile(`(?i)(server said:|failed|error:|usage:|could not|cannot|lost connection|timed out|reset by)`)

func (cl ncftpClient) do(c *cell, jobs ...job) error {
	account := []string{"-u", c.house.user, "-p", c.house.password, "-P", c.port}
	var p program
	if jobs[0].Task == putOn {
		p = program{name: needed(c.t, "ncftpput"), args: append(account, "-z", "-s", "-v", "-C", c.host, jobs[0].Local, jobs[0].path())}
	} else {
		lines := []string{"set auto-resume yes", "set confirm-close no"}
		for _, j := range jobs {
			if j.Task != getTree {
				lines = append(lines, "cd "+escape("/"+j.Folder))
			}
			lines = append(lines, cl.job(j))
		}
		p = program{name: needed(c.t, "ncftp"), args: append(account, c.host), stdin: strings.Join(append(lines, "quit", ""), "\n")}
	}
	p.env = []string{"NCFTPDIR=" + c.t.TempDir(), "TERM=dumb"} // else it writes into the user's home, whatever HOME says
	r, err := c.exec(p)
	if err == nil && complaint.MatchString(r.both()) {
		err = c.said(p, r, errRefused)
	}
	for _, j := range jobs {
		if err == nil && j.Task == list {
			err = os.WriteFile(j.Local, []byte(r.stdout), 0o644)
		}
	}
	return err
}

func (ncftpClient) job(j job) string {
	name, local := escape(j.Name), escape(j.Local)
	switch j.Task {
	case list:
		return "ls -l"
	case put:
		return "put -z " + local + " " + name
	case get, getOn:
		return "get -z -- " + name + " " + local
	case putTree:
		return "put -R " + local
	case getTree:
		return "get -R -T " + escape(j.path()) // without -T it asks for a tar archive that the server is to make
	case rename:
		return "rename " + name + " " + escape(j.To)
	case remove:
		return "rm -- " + name
	case mkdir:
		return "mkdir -- " + name
	}
	return "rmdir -- " + name
}
