package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// unit reads a file of systemd's: the values of each key, in order.
func unit(t *testing.T, name string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	section := ""
	for n, line := range strings.Split(string(must(os.ReadFile(filepath.Join("..", "..", "packaging", "systemd", name)))(t)), "\n") {
		line = strings.TrimSpace(line)
		key, value, is := strings.Cut(line, "=")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			section = line
		case !is || section == "" || strings.HasSuffix(line, "\\"):
			t.Errorf("%s:%d: %s", name, n+1, line)
		default:
			all[section+key] = append(all[section+key], value)
		}
	}
	return all
}

// The unit that is handed out confines the server, and fits what the program takes.
func TestUnits(t *testing.T) {
	t.Parallel()
	service, sock, low := unit(t, "edgeftp.service"), unit(t, "edgeftp.socket"), unit(t, "low-ports.conf")
	for key, want := range map[string]string{"User": "edgeftp", "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "AmbientCapabilities": "", "ProtectSystem": "strict",
		"ProtectHome": "yes", "PrivateDevices": "yes", "PrivateTmp": "yes", "PrivateUsers": "yes", "RestrictNamespaces": "yes", "LimitCORE": "0", "NoExecPaths": "/",
		"SystemCallFilter": "@system-service landlock_create_ruleset landlock_add_rule landlock_restrict_self seccomp", "Type": "notify", "WatchdogSec": "60s", "UMask": "0077", "ProtectKernelTunables": "yes", "RestrictSUIDSGID": "yes"} {
		if got := service["[Service]"+key]; len(got) == 0 || got[0] != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	for _, key := range []string{"CapabilityBoundingSet", "AmbientCapabilities"} {
		if got := low["[Service]"+key]; len(got) != 1 || got[0] != "CAP_NET_BIND_SERVICE" {
			t.Errorf("low-ports.conf: %s is %q", key, got)
		}
	}
	if got := sock["[Socket]Accept"]; len(got) > 0 {
		t.Errorf("Accept is %q: the server accepts by itself", got)
	}
	if got := service["[Service]FileDescriptorStoreMax"]; len(got) > 0 {
		t.Errorf("FileDescriptorStoreMax is %q: the server stores none", got)
	}
	reload := strings.Fields(service["[Service]ExecReload"][0])
	if help := edgeftp(t, append(reload[1:2], "--help")...).stdout; !strings.Contains(help, reload[2]+" ") {
		t.Errorf("%q; its help is\n%s", reload, help)
	}
	help := edgeftp(t, "serve", "--help").stdout
	start := strings.Fields(service["[Service]ExecStart"][0])
	for _, word := range start[2:] {
		if strings.HasPrefix(word, "--") && !strings.Contains(help, word+" ") {
			t.Errorf("serve has no %s", word)
		}
	}
	if start[1] != "serve" || service["[Service]RestartPreventExitStatus"][0] != "3" {
		t.Errorf("%q, and not again after %q", start, service["[Service]RestartPreventExitStatus"])
	}
	exposure(t)
}

// exposure has systemd judge the unit, alone and with the right to low ports, where it is
// there and can: 0 is the best, 10 the worst.
func exposure(t *testing.T) {
	t.Helper()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		return // the keys were looked at
	}
	alone := string(must(os.ReadFile(filepath.Join("..", "..", "packaging", "systemd", "edgeftp.service")))(t))
	low := alone
	for key, value := range unit(t, "low-ports.conf") { // as the drop-in would have it
		key = strings.TrimPrefix(key, "[Service]")
		low = regexp.MustCompile("(?m)^"+key+"=.*$").ReplaceAllString(low, key+"="+value[0])
	}
	for text, most := range map[string]float64{alone: 1.1, low: 1.4} { // as docs/systemd.md has it
		file := filepath.Join(t.TempDir(), "edgeftp.service")
		ok(t, os.WriteFile(file, []byte(text), 0o644))
		out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", file).CombinedOutput()
		if err != nil && strings.Contains(string(out), "offline") {
			return // before systemd 250
		}
		found := regexp.MustCompile(`Overall exposure level for edgeftp\.service: ([0-9.]+)`).FindSubmatch(out)
		if err != nil || found == nil {
			t.Fatalf("%v\n%s", err, out)
		}
		level := must(strconv.ParseFloat(string(found[1]), 64))(t)
		if level > most {
			t.Errorf("exposure %v\n%s", level, out)
		}
		if strings.Contains(string(out), "ignoring") {
			t.Errorf("systemd does not know everything:\n%s", out)
		}
		t.Logf("exposure %v", level)
	}
}
