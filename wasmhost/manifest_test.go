package wasmhost

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/edgeftp/edgeftp/edge/policy"
)

const fullManifest = `{
  "name": "guard", "version": "1.4.0-rc.1+b5", "abi": "1.2",
  "description": "Keeps the archive as it is.", "license": "Apache-2.0 OR MIT", "source": "https://git.example/guard",
  "hooks": ["fs", "site", "event"],
  "capabilities": ["log", "kv:shared", "metric", "fetch:api.example.com", "fetch:[2001:db8::1]:8443"],
  "interest": {"ops": ["write", "rename"], "events": ["login", "draining"], "verbs": ["STOR", "SITE CHMOD"],
    "paths": ["/archive", "/"], "groups": ["staff", "ä b"]},
  "limits": {"memory_pages": 16, "fuel": 1000000, "deadline_ms": 20, "depth": 100, "instances": 2},
  "isolation": "reset", "data": "filter",
  "kv": {"namespace": "shared", "max_bytes": 65536},
  "site": [{"verb": "KEEP", "perm": "rw", "arg": "[days]", "help": "keeps a file"}, {"verb": "LIST2", "help": "lists"}],
  "settings": {"type": "object", "properties": {"x": {"type": ["string", "null"]}}, "default": {"x": null}}
}`

func TestManifest(t *testing.T) {
	m, fault := parseManifest([]byte(fullManifest))
	if fault != nil {
		t.Fatal(fault.refusal("guard"))
	}
	want := &Manifest{
		Name: "guard", Version: "1.4.0-rc.1+b5", ABI: "1.2", Description: "Keeps the archive as it is.",
		License: "Apache-2.0 OR MIT", Source: "https://git.example/guard", Hooks: []string{"fs", "site", "event"},
		Capabilities: []string{"log", "kv:shared", "metric", "fetch:api.example.com", "fetch:[2001:db8::1]:8443"},
		Interest: policy.Interest{Ops: []policy.Op{policy.OpWrite, policy.OpRename}, Events: []policy.EventKind{policy.EventLogin, policy.EventDraining},
			Verbs: []string{"STOR", "SITE CHMOD"}, Paths: []string{"/archive", "/"}, Groups: []string{"staff", "ä b"}},
		Limits:    Limits{MemoryPages: 16, Fuel: 1_000_000, Deadline: 20 * time.Millisecond, Depth: 100, Instances: 2},
		Isolation: IsolationReset, Space: "shared", SpaceBytes: 65536,
		Site:     []policy.SiteCommand{{Verb: "KEEP", Perm: policy.PermRead | policy.PermWrite, Arg: "[days]", Help: "keeps a file"}, {Verb: "LIST2", Help: "lists"}},
		Settings: json.RawMessage(`{"type": "object", "properties": {"x": {"type": ["string", "null"]}}, "default": {"x": null}}`),
	}
	if d := cmp.Diff(want, m, cmpopts.IgnoreUnexported(Manifest{})); d != "" {
		t.Error(d)
	}
	if got := fmt.Sprint(m.fetch); got != "[{api.example.com 0} {2001:db8::1 8443}]" {
		t.Errorf("fetch goes to %s", got)
	}
	for _, o := range m.fetch {
		if again, err := parseOrigin(o.text()); err != nil || again != o {
			t.Errorf("%v became %v, %v", o, again, err)
		}
	}
	if m, fault := parseManifest([]byte(" {} \n")); fault != nil || !cmp.Equal(*m, Manifest{}, cmpopts.IgnoreUnexported(Manifest{})) {
		t.Errorf("the empty one: %+v, %+v", m, fault)
	}
}

// TestManifestFaults holds where a fault is found and what is said about it.
func TestManifestFaults(t *testing.T) {
	for _, tt := range []struct{ text, found, needs string }{
		{``, "line 1, column 1: JSON that ends too early", "RFC 8259"},
		{`{"name":"x"`, "line 1, column 12: JSON that ends too early", ""},
		{"{\n \"name\": x}", "line 2, column 10: JSON that is broken", ""},
		{`{"name":"x",}`, "JSON that is broken", ""},
		{`{"name" "x"}`, "JSON that is broken", ""},
		{`{"hooks":["fs" "auth"]}`, "JSON that is broken", ""},
		{`{"hooks":["fs"}`, "JSON that is broken", ""},
		{`[]`, "line 1, column 1: is a list", "an object"},
		{`null`, "column 1: is null", "an object"},
		{`{} {}`, "line 1, column 4: more after", ""},
		{`{}x`, "line 1, column 3: more after", ""},
		{"{\"name\":\"\xff\"}", "not UTF-8", ""},
		{`{"name":"` + strings.Repeat("x", maxManifest) + `"}`, "65547 bytes", "at most 65536"},
		{`{"settings":` + strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat("}", 101), "too deeply", ""},
		{`{"hooks":[` + strings.Repeat(`"fs",`, 300) + `"fs"]}`, "too many items", "at most 256"},
		{`{"name":"a","name":"b"}`, `line 1, column 13: the key "name" is there twice`, ""},
		{`{"kv":{"max_bytes":1,"max_bytes":2}}`, `"max_bytes" is there twice`, ""},
		{"{\n\"Name\":\"a\"}", `line 2, column 8: the key "Name"`, "abi, capabilities, data, description, hooks, interest, isolation, kv, license, limits, name, settings, site, source, version"},
		{`{"fail":"open"}`, `the key "fail"`, ""},
		{`{"limits":{"memory":1}}`, `the key "limits.memory"`, "deadline_ms, depth, fuel, instances, memory_pages"},
		{`{"name":1}`, "name is 1", "a string of one line of at most 100 bytes"},
		{`{"name":"a\nb"}`, `name is "a?b"`, "one line"},
		{`{"description":["x"]}`, "description is a list", "a string"},
		{`{"version":"1.0"}`, `version is "1.0"`, "semantic version"},
		{`{"version":"1.0.0-01"}`, "version is", ""},
		{`{"version":"01.0.0"}`, "version is", ""},
		{`{"version":"1.0.0-"}`, "version is", ""},
		{`{"version":"1.0.0+"}`, "version is", ""},
		{`{"version":"v1.0.0"}`, "version is", ""},
		{`{"version":1}`, "version is 1", ""},
		{`{"abi":1.2}`, "abi is 1.2", ""},
		{`{"hooks":["fs","list2"]}`, `hooks[1] is "list2"`, "a list of hooks: auth, fs, list"},
		{`{"hooks":"fs"}`, `hooks is "fs"`, ""},
		{`{"hooks":[]}`, "hooks is an empty list", "at least one item"},
		{`{"hooks":["fs","fs"]}`, "for the second time", ""},
		{`{"interest":{"ops":["steal"]}}`, `interest.ops[0] is "steal"`, "names of operations: stat, list, read"},
		{`{"interest":{"ops":["invalid"]}}`, `interest.ops[0]`, ""},
		{`{"interest":{"ops":[]}}`, "interest.ops is an empty list", "at least one item"},
		{`{"interest":{"events":["Login"]}}`, `interest.events[0] is "Login"`, ""},
		{`{"interest":{"verbs":["stor"]}}`, `interest.verbs[0] is "stor"`, ""},
		{`{"interest":{"verbs":["SITE  X"]}}`, `interest.verbs[0]`, ""},
		{`{"interest":{"paths":["a"]}}`, `interest.paths[0] is "a"`, "canonical paths"},
		{`{"interest":{"paths":["/a/"]}}`, `interest.paths[0]`, ""},
		{`{"interest":{"paths":["/a/../b"]}}`, `interest.paths[0]`, ""},
		{`{"interest":{"groups":[""]}}`, `interest.groups[0] is ""`, ""},
		{`{"interest":{"groups":["a\nb"]}}`, `interest.groups[0]`, ""},
		{`{"interest":[]}`, "interest is a list", "an object"},
		{`{"limits":{"fuel":0}}`, "limits.fuel is 0", "a whole number from 1 to"},
		{`{"limits":{"fuel":1e3}}`, "limits.fuel is 1e3", ""},
		{`{"limits":{"fuel":-1}}`, "limits.fuel is -1", ""},
		{`{"limits":{"fuel":99999999999999999999}}`, "limits.fuel is 9999", ""},
		{`{"limits":{"memory_pages":65537}}`, "limits.memory_pages is 65537", "from 1 to 65536"},
		{`{"limits":{"deadline_ms":"20"}}`, `limits.deadline_ms is "20"`, ""},
		{`{"limits":{"instances":2.0}}`, "limits.instances is 2.0", ""},
		{`{"isolation":"none"}`, `isolation is "none"`, "one of pooled, reset, fresh"},
		{`{"data":true}`, "data is true or false", "one of filter, tap"},
		{`{"kv":{"max_bytes":1}}`, "column 7: kv describes a space", `"kv" among the capabilities`},
		{`{"capabilities":["kv"],"kv":{"namespace":"A"}}`, `kv.namespace is "A"`, "a-z"},
		{`{"capabilities":["kv:a"],"kv":{"namespace":"b"}}`, `kv.namespace is "b", capabilities says "a"`, ""},
		{`{"site":[]}`, "site is a list", ""},
		{`{"site":{}}`, "site is an object", ""},
		{`{"site":["KEEP"]}`, `site[0] is "KEEP"`, "an object"},
		{`{"site":[{"verb":"keep","help":"x"}]}`, `site[0].verb is "keep"`, "capital letters"},
		{`{"site":[{"verb":"KEEP"}]}`, "site[0] has no verb or no help", ""},
		{`{"site":[{"verb":"KEEP","help":"x","perm":"rr"}]}`, `site[0].perm is "rr"`, "elradfmwMT"},
		{`{"site":[{"verb":"KEEP","help":"x","perm":3}]}`, "site[0].perm is 3", ""},
		{`{"site":[{"verb":"KEEP","help":"x"},{"verb":"KEEP","help":"y"}]}`, `the command "KEEP" is there twice`, ""},
		{`{"site":[{"verb":"KEEP","help":"x","reply":"y"}]}`, `the key "site[0].reply"`, "arg, help, perm, verb"},
		{`{"settings":"schema"}`, `settings is "schema"`, "an object"},
	} {
		_, fault := parseManifest([]byte(tt.text))
		if fault == nil {
			t.Errorf("%.80s was taken", tt.text)
			continue
		}
		e := fault.refusal("guard")
		if e.Code != CodeManifest || !strings.Contains(e.Found, tt.found) || !strings.Contains(e.Needs, tt.needs) {
			t.Errorf("%.80s\n%v\nwant %q and %q", tt.text, e, tt.found, tt.needs)
		}
	}
}

// TestCheckManifest holds that a manifest is judged by its own lines, before it is one line
// in a module.
func TestCheckManifest(t *testing.T) {
	if err := CheckManifest([]byte("{\n  \"name\": \"guard\"\n}\n")); err != nil {
		t.Error(err)
	}
	err := CheckManifest([]byte("{\n  \"name\": \"guard\",\n  \"capabilties\": [\"kv\"]\n}\n"))
	var e *ManifestError
	if !errors.As(err, &e) || err.Error() != `3:18: the key "capabilties"` || !strings.Contains(e.Needs, "capabilities") || e.Help == "" {
		t.Errorf("%v, %+v", err, e)
	}
}

func TestManifestCapabilities(t *testing.T) {
	for _, bad := range []string{"sock", "KV", "", "kv ", "fetchx", "fs", "clock"} {
		_, fault := parseManifest([]byte(fmt.Sprintf(`{"capabilities":["log",%q]}`, bad)))
		if fault == nil || bad != "" && fault.refusal("guard").Code != CodeCapability || !strings.HasPrefix(fault.found, "capabilities[1] is") {
			t.Errorf("%q: %+v", bad, fault)
		}
	}
	for _, bad := range []string{"log:x", "metric:a", "random:", "kv:", "kv:A", "kv:a/b", "kv:..\\\\", "fetch", "fetch:", "fetch:*.example.com", "fetch:a.example/x",
		"fetch:https://a.example", "fetch:A.example", "fetch:a.example:0", "fetch:a.example:080", "fetch:a.example:", "fetch:a.example:70000",
		"fetch:user@a.example", "fetch:a.example?x", "fetch:2001:db8::1", "fetch:[::1%25lo]", "fetch:a.example#x", "kv:" + strings.Repeat("a", 65)} {
		_, fault := parseManifest([]byte(fmt.Sprintf(`{"capabilities":["log","%s"]}`, bad)))
		if fault == nil || fault.refusal("guard").Code != CodeManifest {
			t.Errorf("%q: %+v", bad, fault)
		}
	}
	if _, fault := parseManifest([]byte(`{"capabilities":["kv","kv:a"]}`)); fault == nil {
		t.Error("two spaces were taken")
	}
	many := `{"capabilities":["log"`
	for i := range maxOrigins + 1 {
		many += fmt.Sprintf(`,"fetch:h%d.example"`, i)
	}
	if _, fault := parseManifest([]byte(many + "]}")); fault == nil {
		t.Error("more hosts than the limit were taken")
	}
	if m, fault := parseManifest([]byte(`{"capabilities":[]}`)); fault != nil || m.Capabilities != nil {
		t.Errorf("%+v, %+v", m, fault)
	}
}

// TestManifestAgrees compares what a manifest says with what the module has.
func TestManifestAgrees(t *testing.T) {
	h := newHost(t, Config{})
	for manifest, says := range map[string]string{
		`{"hooks":["fs","auth"]}`:                   "the exports say fs",
		`{"site":[{"verb":"KEEP","help":"keeps"}]}`: "export edgeftp_site",
		`{"data":"tap"}`:                            "export edgeftp_data",
	} {
		p, err := h.Load(t.Context(), "guard", declaring(testModule(t, "pass"), manifest), LoadOptions{})
		wantRefusal(t, p, err, CodeManifest, says)
	}
	twice := declaring(declaring(testModule(t, "pass"), `{}`), `{"capabilities":["kv"]}`)
	p, err := h.Load(t.Context(), "guard", twice, LoadOptions{})
	wantRefusal(t, p, err, CodeMalformed, "edgeftp.manifest is there twice")
	p = loadModule(t, h, declaring(testModule(t, "pass"), `{"interest":{"ops":["write"],"paths":["/in"]},"isolation":"fresh"}`), LoadOptions{})
	want := policy.Interest{Ops: []policy.Op{policy.OpWrite}, Paths: []string{"/in"}}
	if d := cmp.Diff(want, p.Hooks().Interest); d != "" || p.Manifest().Isolation.String() != "fresh" {
		t.Errorf("%s, %v", d, p.Manifest().Isolation)
	}
}

// FuzzManifest holds that any text is a manifest or a fault with words, that what is
// taken is JSON, and that its parts are in bounds.
func FuzzManifest(f *testing.F) {
	for _, s := range []string{fullManifest, `{}`, `{"kv":{"max_bytes":1}}`, `{"a":[1,{"b":null}]`, `{"capabilities":["fetch:[::1]:80"]}`, "{\"\":\t\"\\ud800\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, fault := parseManifest(b)
		if fault != nil {
			e := fault.refusal("fuzz")
			var l *LoadError
			if !errors.As(error(e), &l) || e.Found == "" || !utf8.ValidString(e.Error()) || strings.Count(e.Error(), "\n") > 3 {
				t.Errorf("%q: %v", b, e)
			}
			return
		}
		if !json.Valid(b) {
			t.Errorf("%q was taken and is no JSON", b)
		}
		if m.Settings != nil && !json.Valid(m.Settings) {
			t.Errorf("the schema is %q", m.Settings)
		}
		if m.Limits.Deadline < 0 || m.Limits.Instances < 0 || len(m.fetch) > maxOrigins || m.SpaceBytes < 0 {
			t.Errorf("%+v", m)
		}
	})
}
