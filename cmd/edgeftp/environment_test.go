package main

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/manual"
)

// commanded runs a command line and returns its exit code and what it wrote.
func commanded(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// Each flag of each command has a variable of its own, and no two mean different
// flags by the same one.
func TestVariables(t *testing.T) {
	root := rootCommand(io.Discard, io.Discard)
	names := map[string]string{}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for name, f := range variables(cmd) {
			if !regexp.MustCompile(`^EDGEFTP(_[A-Z0-9]+)+$`).MatchString(name) {
				t.Errorf("%s --%s has the variable %s", cmd.CommandPath(), f.Name, name)
			}
			if other := names[name]; other != "" && other != f.Name {
				t.Errorf("%s is both --%s and --%s", name, other, f.Name)
			}
			names[name] = f.Name
		}
		for _, below := range cmd.Commands() {
			walk(below)
		}
	}
	walk(root)
	for _, name := range []string{"EDGEFTP_SERVE_PASSIVE_PORTS", "EDGEFTP_CONFIG_SHOW_EFFECTIVE", "EDGEFTP_POLICY_SOCKET", "EDGEFTP_BAN_ADD_FOR", "EDGEFTP_DOCTOR_CONFIG", "EDGEFTP_POLICY_KEYGEN_OUTPUT", "EDGEFTP_POLICY_OUTPUT"} {
		if names[name] == "" {
			t.Errorf("there is no %s", name)
		}
	}
}

// The environment gives flags that the command line does not.
func TestFlagsFromEnvironment(t *testing.T) {
	root := t.TempDir()
	t.Chdir(t.TempDir())
	t.Setenv("EDGEFTP_SERVE_ROOT", root)
	t.Setenv("EDGEFTP_SERVE_LISTEN", "127.0.0.1:2121, [::1]:2121")
	t.Setenv("EDGEFTP_SERVE_USER", "environment")
	t.Setenv("EDGEFTP_SERVE_ANONYMOUS", "true")
	code, out, errs := commanded(t, "config", "show", "--user", "line")
	if code != 0 {
		t.Fatal(errs)
	}
	for key, want := range map[string]string{
		"listeners[main].address": `["127.0.0.1:2121","[::1]:2121"]  environment EDGEFTP_SERVE_LISTEN`,
		"users.list[line].name":   "line  flag --user",
		"users.anonymous.enabled": "true  environment EDGEFTP_SERVE_ANONYMOUS",
		"storage[0].root":         root + "  environment EDGEFTP_SERVE_ROOT",
	} {
		if !slices.ContainsFunc(strings.Split(out, "\n"), func(line string) bool {
			return strings.Join(strings.Fields(line), " ") == strings.Join(strings.Fields(key+" "+want), " ")
		}) {
			t.Errorf("%s is not %s:\n%s", key, want, out)
		}
	}
}

// A flag that hides one of the same name further up has its own variable alone.
func TestHiddenFlags(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("EDGEFTP_POLICY_OUTPUT", "json")
	t.Setenv("EDGEFTP_POLICY_KEYGEN_OUTPUT", "key")
	t.Setenv("EDGEFTP_POLICY_KEYGEN_NO_PASSWORD", "true")
	if code, _, errs := commanded(t, "policy", "keygen"); code != 0 {
		t.Fatal(errs)
	}
	if files, err := filepath.Glob("*"); err != nil || !slices.Contains(files, "key") || slices.Contains(files, "json") {
		t.Errorf("%v, %v", files, err)
	}
}

func TestWrongVariables(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	file := filepath.Join(dir, "c.yaml")
	text := "version: 1\ninstance: { name: \"${env:EDGEFTP_MY_NAME}\" }\nlisteners: [{ name: a, address: \"127.0.0.1:2121\" }]\nstorage: [{ root: root }]\nusers: { anonymous: { enabled: true } }\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("root", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, variables string
		args            []string
		code            int
		want            string
	}{
		{"unknown", "EDGEFTP_SERVE_RAED_ONLY=true", []string{"serve", "--root", "root", "--print-config"}, exitConfig, "did you mean EDGEFTP_SERVE_READ_ONLY?"},
		{"unknown", "EDGEFTP_MY_NAMES=x EDGEFTP_MY_NAME=n", []string{"config", "validate", file}, exitConfig, "did you mean EDGEFTP_MY_NAME?"},
		{"far off", "EDGEFTP_ZZZ=", []string{"serve", "--config", file}, exitConfig, "unset it; each flag has one"},
		{"all at once", "EDGEFTP_ZZZ=1 EDGEFTP_YYY=1", []string{"serve", "--config", file}, exitConfig, "EDGEFTP_YYY, which nothing takes\n   = help: unset it; each flag has one, as EDGEFTP_SERVE_ROOT of serve --root\nerror: the environment has the variable EDGEFTP_ZZZ"},
		{"no boolean", "EDGEFTP_SERVE_ANONYMOUS=yes", []string{"serve", "--root", "root"}, exitUsage, "write true or false"},
		{"excluded", "EDGEFTP_SERVE_USER=x EDGEFTP_MY_NAME=n", []string{"serve", "--config", file}, exitUsage, "the variable EDGEFTP_SERVE_USER and --config exclude each other"},
		{"excluded", "EDGEFTP_SERVE_USER=x EDGEFTP_MY_NAME=n", []string{"config", "show", "--config", file}, exitUsage, "the variable EDGEFTP_SERVE_USER and --config exclude each other"},
		{"hostile", "EDGEFTP_\x1b[2J=1", []string{"serve", "--root", "root", "--print-config"}, exitConfig, "EDGEFTP_?[2J, which"},
		{"of the file", "EDGEFTP_MY_NAME=fra-1", []string{"config", "show", "--config", file}, 0, ""},
		{"of the tests", "EDGEFTP_FULL=1", []string{"serve", "--root", "root", "--print-config"}, 0, ""},
		{"of other commands", "EDGEFTP_STATUS_SOCKET=/x", []string{"serve", "--root", "root", "--print-config"}, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			for v := range strings.FieldsSeq(test.variables) {
				name, value, _ := strings.Cut(v, "=")
				t.Setenv(name, value)
			}
			code, out, errs := commanded(t, test.args...)
			if code != test.code || !strings.Contains(errs, test.want) {
				t.Errorf("%d, %s\n%s", code, errs, out)
			}
		})
	}
}

// The variables of the project's own tests and tools, which servers inherit from
// them, are all known, or are those of flags.
func TestForeignVariables(t *testing.T) {
	flags := map[string]*pflag.Flag{}
	for _, c := range manual.Visible(rootCommand(io.Discard, io.Discard)) {
		maps.Copy(flags, variables(c))
	}
	name := regexp.MustCompile(`"(EDGEFTP_[A-Z_]+)=?"`)
	asked := regexp.MustCompile(`Getenv|LookupEnv|Setenv|const|Var |Var  |Env =|"EDGEFTP_[A-Z_]+="`)
	for _, dir := range []string{"../../tests", "../../edge", "../../acme", "../../wasmhost", "../../guest-sdk", "../../examples", "internal"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.Contains(path, "internal/config/") || strings.Contains(path, "builder/") || strings.Contains(path, "sdk/build/") {
				return err
			}
			data, err := os.ReadFile(path)
			for line := range strings.Lines(string(data)) {
				if m := name.FindStringSubmatch(line); m != nil && asked.MatchString(line) && !slices.Contains(foreignVariables(), m[1]) && flags[m[1]] == nil {
					t.Errorf("%s: %s is not among the foreign variables", path, m[1])
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
