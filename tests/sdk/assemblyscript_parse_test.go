package sdk

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// asReader reads the settings in a chunk, in the way that its first byte says, and
// answers what was wrong or what was read.
const asReader = `import { Builder, data, DataAnswer, Settings } from "edgeftp";
import { Json } from "edgeftp/json";

export function edgeftp_data(length: i32): i64 {
  return data(length, (q): DataAnswer => {
    const json = new Json(q.chunk.start + 1, q.chunk.length - 1);
    const s = new Settings(json.all());
    if (q.chunk.at(0) == 0x70 || json.fault.length) return q.rewrite(json.fault);
    if (q.chunk.at(0) == 0x66) {
      s.object("o").object("o").int("n", 0);
      const list = s.objects("l");
      for (let i = 0; i < list.length; i++) {
        list[i].int("n", 0);
        list[i].object("o").int("n", 0);
      }
      return q.rewrite(s.problem);
    }
    const out = new Builder().add(s.string("text", "none")).addByte(10).addInt(s.int("n", 7)).addByte(10);
    out.add(s.bool("on", false) ? "on" : "off").addByte(10).add(s.strings("list", ["a", "b"]).join(",")).addByte(10);
    let sum = s.object("o").int("n", 1);
    const list = s.objects("l");
    for (let i = 0; i < list.length; i++) sum += list[i].int("n", 100);
    out.addInt(sum).addByte(10).add(s.keys.join(",")).addByte(10);
    return q.rewrite(out.add(s.problem));
  });
}
`

// asAsk sends bytes to a guest with the hook data and returns what it makes of them.
func asAsk(t testing.TB, filter policy.Filter, chunk []byte) string {
	t.Helper()
	p, err := filter.Filter(t.Context(), &policy.Chunk{Meta: asWrite("").Meta, Op: policy.OpWrite, Path: "/a", Data: chunk})
	if err != nil || p.Verdict != policy.Rewrite {
		t.Fatalf("%q: got %+v, %v", chunk, p, err)
	}
	return string(p.Data)
}

// asReads loads the reader of settings.
func asReads(t testing.TB) policy.Filter {
	return asLoad(t, asOnce(t, func() []byte { return compile(t, asFolder(t, map[string]string{"policy.ts": asReader})) }),
		wasmhost.LoadOptions{Limits: wasmhost.Limits{Instances: 1}}).Hooks().Filter
}

// asModule names the file of a module that the process of a fuzzing worker is to take.
const asModule = "EDGEFTP_TEST_MODULE"

// asOnce builds a module in the first process of a fuzz target alone: its workers begin as
// it does, and the compiler takes seconds.
func asOnce(t testing.TB, compiled func() []byte) []byte {
	t.Helper()
	file := os.Getenv(asModule)
	if file == "" {
		file = filepath.Join(t.TempDir(), "module.wasm")
		if err := os.WriteFile(file, compiled(), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv(asModule, file)
	}
	module, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// TestAssemblyScriptSettings reads settings of all kinds, and compares the words for what
// is wrong with those of the Go SDK.
func TestAssemblyScriptSettings(t *testing.T) {
	filter := asReads(t)
	for in, want := range map[string]string{
		`{}`: "none\n7\noff\na,b\n1\n\n",
		` { "text" : "x\n\"\/é😀\u00e9\ud83d\ude00" , "n":-12,"on":true,"list":[],"o":{"n":2},"l":[{"n":3},{}] } `: "x\n\"/é😀é😀\n-12\non\n\n105\ntext,n,on,list,o,l\n",
		`{"n":9223372036854775807,"list":["x","y"],"l":[]}`:                                                       "none\n9223372036854775807\noff\nx,y\n1\nn,list,l\n",
		`{"n":-9223372036854775808,"text":""}`:                                                                    "\n-9223372036854775808\noff\na,b\n1\nn,text\n",
		`{"n":"1"}`:                                                                                               "none\n7\noff\na,b\n1\nn\nsetting \"n\" is not a whole number",
		`{"text":1,"on":1}`:                                                                                       "none\n7\noff\na,b\n1\ntext,on\nsetting \"text\" is not a string",
		`{"x":1,"o":{"y":{}},"l":[{"z":1}]}`:                                                                      "none\n7\noff\na,b\n101\nx,o,l\nunknown setting \"x\", \"o.y\", \"l[0].z\"",
	} {
		if got := asAsk(t, filter, []byte("v"+in)); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
	for _, in := range []string{`{}`, `{"o":1}`, `{"l":{}}`, `{"l":["x"]}`, `{"o":{"x":1}}`, `{"o":{"o":{"n":"1"}}}`, `{"l":[{"n":1},{"m":1}]}`,
		`{"l":[{"o":{"n":true}}]}`, `{"l":[{"n":1},{"o":{"n":1}}]}`, `[]`, `{`, `{} x`, `{"a":1,}`, `{"a":1.5}`, `{"a":1e3}`, `{"a":01}`, `{"a":-}`,
		`{"a":[{},"x"]}`, `{"a":["x",{}]}`, `{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{}}}}}}}}}`, `{"a":null}`, `{"a":"`, `{"a":tru}`, "{\"a\":\"\n\"}"} {
		want := ""
		if err := goFault(in); err != nil {
			want = err.Error()
		}
		if got := asAsk(t, filter, []byte("f"+in)); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

// goFault asks the Go SDK for the keys that the guest asks for.
func goFault(in string) error {
	s := settings.Parse([]byte(in))
	s.Object("o").Object("o").Int("n", 0)
	for _, o := range s.Objects("l") {
		o.Int("n", 0)
		o.Object("o").Int("n", 0)
	}
	return s.Err()
}

// FuzzAssemblyScriptSettings compares what is JSON for settings with the Go SDK.
func FuzzAssemblyScriptSettings(f *testing.F) {
	f.Add([]byte(`{"a":["x","é"],"b":-1,"c":true,"d":"\ud83d\ude00","e":{"f":[{}]}}`))
	f.Add([]byte(`{"a":18446744073709551616,"b":"\u12"}`))
	filter := asReads(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || len(b) > policy.MaxChunk-1 {
			return
		}
		err := settings.Parse(b).Err()
		refused := err != nil && !strings.HasPrefix(err.Error(), "unknown setting")
		if got := asAsk(t, filter, append([]byte("p"), b...)); (got != "") != refused {
			t.Errorf("%q: got %q, the Go SDK says %v", b, got, err)
		}
	})
}

// FuzzAssemblyScriptRecords compares which records are questions with the decoder of the
// Go SDK, as FuzzWatRecords does.
func FuzzAssemblyScriptRecords(f *testing.F) { fuzzRecords(f, "assemblyscript") }

// FuzzWatRecords holds the mirror guest that has no SDK to the same.
func FuzzWatRecords(f *testing.F) { fuzzRecords(f, "wat") }

func fuzzRecords(f *testing.F, lang string) {
	for _, file := range []string{"records.json", "bad-records.json"} {
		for _, v := range asVectors(f, file) {
			f.Add(v)
		}
	}
	module := asOnce(f, func() []byte { return compile(f, filepath.Join(sdkDir, lang, "testdata", "mirror")) })
	filter := asLoad(f, module, wasmhost.LoadOptions{
		Limits: wasmhost.Limits{Instances: 1},
		Grant: wasmhost.Grant{KV: func(string, int64) (policy.KV, error) { return &policy.MemKV{}, nil }, Metric: new(mirror), Random: true,
			Verify: true, Password: true, Stat: true, Digest: true, Fetch: wasmhost.FetchGrant{Allow: []string{"https://example.org"}}}}).Hooks().Filter
	f.Fuzz(func(t *testing.T, rec []byte) {
		h := abi.KindOf(rec)
		if h < abi.HookAuth || h > abi.HookCert || len(rec) > policy.MaxChunk-2 {
			return
		}
		err := decodes(h, rec)
		if got := asAsk(t, filter, append([]byte{'Q', byte(h)}, rec...)); (got == "refused\n") != (err != nil) {
			t.Errorf("%x: got %.60q, the Go SDK says %v", rec, got, err)
		}
	})
}

// asVectors are the records of a file of vectors.
func asVectors(f *testing.F, file string) (list [][]byte) {
	b, err := os.ReadFile(filepath.Join(sdkDir, "vectors", file))
	if err != nil {
		f.Fatal(err)
	}
	var vectors []struct{ Record string }
	if err := json.Unmarshal(b, &vectors); err != nil {
		f.Fatal(err)
	}
	for _, v := range vectors {
		rec, err := hex.DecodeString(v.Record)
		if err != nil {
			f.Fatal(err)
		}
		list = append(list, rec)
	}
	return list
}

// decodes reads a record with the Go SDK's decoder.
func decodes(h abi.Hook, rec []byte) (err error) {
	var d abi.Decoder
	switch h {
	case abi.HookAuth:
		_, err = d.Login(rec)
	case abi.HookFS:
		_, err = d.Action(rec)
	case abi.HookList:
		_, err = d.Listing(rec)
	case abi.HookCmd:
		_, err = d.Command(rec)
	case abi.HookSite:
		_, err = d.SiteCall(rec)
	case abi.HookThrottle:
		_, err = d.Transfer(rec)
	case abi.HookData:
		_, err = d.Chunk(rec)
	case abi.HookEvent:
		_, err = d.Event(rec)
	case abi.HookCert:
		_, err = d.CertRequest(rec)
	}
	return err
}
