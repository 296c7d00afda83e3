package delivery_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/delivery"
)

// curl runs curl in a directory of its own and returns what it says: the statuses that -w
// asks for among it.
func (r *rig) curl(dir string, args ...string) string {
	r.t.Helper()
	path, err := exec.LookPath("curl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			r.t.Fatal("curl is not installed, and CI=true asks for every check")
		}
		r.t.Skip("curl is not installed")
	}
	cmd := exec.CommandContext(r.t.Context(), path, append([]string{"-q", "-sS", "-m", "20"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("curl %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// What curl can: a part, going on with a file, asking only for what is new, a user.
func TestCurl(t *testing.T) {
	for protocol, version := range map[string]string{"http": "1.1", "https": "1.1", "h2": "2"} {
		t.Run(protocol, func(t *testing.T) {
			r := start(t, protocol, delivery.Config{Anonymous: "anonymous", Basic: true}, nil)
			dir := t.TempDir()
			if cert := r.Certificate(); cert != nil {
				roots := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
				if !x509.NewCertPool().AppendCertsFromPEM(roots) {
					t.Fatal("no certificate")
				}
				r.must(os.WriteFile(filepath.Join(dir, "ca.pem"), roots, 0o600))
			}
			common := []string{"--cacert", "ca.pem", "--http" + version}
			if protocol == "http" {
				common = common[2:]
			}
			ask := func(args ...string) string { return r.curl(dir, append(common, args...)...) }
			if got := ask("-w", " %{http_code} %{http_version}", r.URL+"/a.txt"); got != "0123456789 200 "+version {
				t.Errorf("%q", got)
			}
			if got := ask("-r", "2-4", "-w", " %{http_code}", r.URL+"/a.txt"); got != "234 206" {
				t.Errorf("a part: %q", got)
			}
			r.must(os.WriteFile(filepath.Join(dir, "a.txt"), []byte("0123"), 0o600))
			ask("-C", "-", "-O", r.URL+"/a.txt")
			if got, err := os.ReadFile(filepath.Join(dir, "a.txt")); string(got) != "0123456789" {
				t.Errorf("going on: %q, %v", got, err)
			}
			if got := ask("--etag-save", "tag", "-o", "new", r.URL+"/a.txt", "-w", "%{http_code}"); got != "200" {
				t.Errorf("%q", got)
			}
			if got := ask("--etag-compare", "tag", "-o", "same", r.URL+"/a.txt", "-w", "%{http_code}"); got != "304" {
				t.Errorf("the same: %q", got)
			}
			if got := ask("-R", "-z", "new", "-o", "newer", r.URL+"/a.txt", "-w", "%{http_code}"); got != "304" {
				t.Errorf("nothing newer: %q", got)
			}
			if got := ask("--path-as-is", "-o", "x", r.URL+"/d/../a.txt", "-w", "%{http_code}"); got != "200" {
				t.Errorf("%q", got)
			}
			if got := ask("-L", "-w", " %{http_code} %{num_redirects}", r.URL+"/d?format=json"); !strings.Contains(got, `"complete":true`) || !strings.HasSuffix(got, " 200 1") {
				t.Errorf("%q", got)
			}
			want := "200"
			if protocol == "http" {
				want = "403" // in the clear
			}
			if got := ask("-u", "ann:secret", "-o", "x", r.URL+"/a.txt", "-w", "%{http_code}"); got != want {
				t.Errorf("a user: %q", got)
			}
		})
	}
}
