package config

import (
	"os"
	"path/filepath"
	"testing"
)

// The sample is taken as it stands, on a machine that has what it names.
func TestSample(t *testing.T) {
	data, err := os.ReadFile(filepath.FromSlash("../../../../docs/examples/edgeftp.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	machine := testMachine(map[string]string{
		"/etc/edgeftp/alice.hash": bcryptHash, "/etc/edgeftp/backup.hash": bcryptHash, "/etc/edgeftp/policy-signers.pub": signer,
		"/etc/edgeftp/policies/content-scan.wasm": "", "/etc/edgeftp/policies/content-scan.wasm.minisig": "",
		"/etc/edgeftp/partners.url": "https://hooks.example.org/ftp", "/etc/edgeftp/partners.key": "0123456789abcdef0123456789abcdef", "/etc/edgeftp/ops.url": "https://hooks.example.org/ops",
		"/srv/ftp/releases": "dir", "/srv/ftp/archive": "dir",
		"/srv/ftp/pub": "dir", "/srv/ftp/alice": "dir", "/srv/ftp/backup": "dir", "/var/log/edgeftp": "dir",
	}, map[string]string{"STATE_DIRECTORY": "/var/lib/edgeftp"})
	conf, err := parse("edgeftp.yaml", "/etc/edgeftp", data, machine)
	if err != nil {
		t.Fatal(err)
	}
	again(t, conf, machine)
	if len(conf.Listeners) != 2 || conf.ACME == nil || len(conf.Users) != 2 || len(conf.Policies.Modules) != 1 || len(conf.Sinks) != 1 || len(conf.Notify.To) != 1 {
		t.Errorf("%+v", conf)
	}
}
