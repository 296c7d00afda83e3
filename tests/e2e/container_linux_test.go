package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/edgeftp/edgeftp/tests/namespaces"
	"github.com/edgeftp/edgeftp/tests/ports"
)

// image is what the Containerfile says of the image: the last words of each instruction.
func image(t *testing.T) map[string][]string {
	t.Helper()
	text := string(must(os.ReadFile(filepath.Join("..", "..", "packaging", "container", "Containerfile")))(t))
	text = regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(strings.ReplaceAll(text, "\\\n", " "), "")
	_, last, found := strings.Cut(text, "\nFROM scratch\n")
	if !found {
		t.Fatal("the image is not made from nothing")
	}
	all := map[string][]string{}
	for _, line := range strings.Split(strings.TrimSpace(last), "\n") {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		var words []string
		if at := strings.Index(rest, "["); at >= 0 {
			ok(t, json.Unmarshal([]byte(rest[at:]), &words))
		} else {
			words = strings.Fields(rest)
		}
		all[name] = words
	}
	return all
}

// static builds the program so that it needs no library: as releases are built with
// EDGEFTP_FULL=1, else by linking what is compiled already.
func static(t *testing.T, to string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-ldflags", `-s -w -linkmode external -extldflags "-static"`, "-o", to, "../../cmd/edgeftp")
	if full() {
		cmd = exec.Command("go", "build", "-ldflags", "-s -w", "-o", to, "../../cmd/edgeftp")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// What the image has is enough: the program alone, in a root that nothing can be written
// to, as a user without a name and without any right, with the sample configuration. The
// command of its health check tells whether it serves, and files come and go.
func TestContainer(t *testing.T) {
	t.Parallel()
	unshare, chroot := need(t, "unshare"), need(t, "chroot")
	namespaces.Need(t)
	img := image(t)
	if got := strings.Join(img["USER"], ""); got != "65532:65532" {
		t.Errorf("USER is %q", got)
	}
	p := newPlace(t)
	root := p.out("image")
	for _, dir := range append(img["VOLUME"], "/etc/edgeftp", "/run/secrets", "/proc") {
		ok(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	static(t, filepath.Join(root, img["ENTRYPOINT"][0]))
	numbers := ports.Some(t, 5)
	conf := string(must(os.ReadFile(filepath.Join("..", "..", "packaging", "container", "edgeftp.yaml")))(t))
	for from, to := range map[string]string{`":2121"`: "127.0.0.1:" + numbers[0], "50000-50049": `"` + strings.Join(numbers[1:], ",") + `"`} {
		if !strings.Contains(conf, from) || !strings.Contains(strings.Join(img["EXPOSE"], " "), strings.Trim(from, `":`)) {
			t.Errorf("%s is not in both, %v and\n%s", from, img["EXPOSE"], conf)
		}
		conf = strings.Replace(conf, from, to, 1)
	}
	ok(t, os.WriteFile(filepath.Join(root, "etc/edgeftp/edgeftp.yaml"), []byte(conf), 0o644))
	hash := must(bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost))(t)
	ok(t, os.WriteFile(filepath.Join(root, "run/secrets/ftp-hash"), append(hash, '\n'), 0o644))
	script := "set -e; cd " + root + "; mount --bind . . ; cd " + root + "; mount -o remount,ro,bind .\n"
	for _, v := range img["VOLUME"] {
		script += "mount -t tmpfs -o uid=65532,gid=65532,mode=0700 tmpfs ." + v + "\n"
	}
	script += "mount -t proc proc ./proc\ntouch ./no 2>/dev/null && exit 99\nexec " + chroot + " --userspec=65532:65532 --groups= . \"$@\""
	p.env = append(p.env, "ADVERTISE=127.0.0.1", strings.Join(img["ENV"], " "))
	s := launchAs(t, p, append([]string{unshare, "-m", "sh", "-c", script, "sh", img["ENTRYPOINT"][0]}, img["CMD"]...))
	s.awaitReady(t)
	s.user, s.password = "ftp", secret
	s.ca = filepath.Join("/proc", pid(s), "root", img["VOLUME"][0], "ca.pem")
	s.expect(t, `"msg":"ready"`, `"sandbox":"on"`)
	c := s.login(t)
	c.put(t, "STOR up", strings.NewReader("content"))
	if got := c.get(t, "RETR up"); string(got) != "content" {
		t.Errorf("%q", got)
	}
	_, check, _ := strings.Cut(strings.Join(img["HEALTHCHECK"], " "), "/edgeftp ")
	inside := append([]string{"-t", pid(s), "-m", "-r", "-S", "65532", "-G", "65532", "/edgeftp"}, strings.Fields(check)...)
	healthy := program{name: need(t, "nsenter"), args: inside}
	if r := healthy.run(t); r.code != 0 {
		t.Errorf("the health check of a server that serves: %+v", r)
	}
	s.stop(t)
}

func pid(s *server) string { return strconv.Itoa(s.cmd.Process.Pid) }
