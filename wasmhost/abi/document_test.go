package abi

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// tables reads every table of ABI.md: rows of cells under the cells of their
// header, joined by a space.
func tables(t *testing.T) map[string][][]string {
	t.Helper()
	b, err := os.ReadFile("../../guest-sdk/ABI.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][][]string{}
	header := ""
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			header = ""
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		switch {
		case header == "":
			header = strings.Join(cells, " ")
		case !strings.HasPrefix(cells[0], "---"):
			all[header] = append(all[header], cells)
		}
	}
	return all
}

// TestDocument holds the tables of ABI.md to the code.
func TestDocument(t *testing.T) {
	var ops, events, attrs, spans, flags, hooks, keys []string
	for op := policy.OpStat; op <= policy.OpSymlink; op++ {
		ops = append(ops, fmt.Sprint(uint16(op), " ", op))
	}
	for _, k := range policy.GuestEvents() {
		events = append(events, fmt.Sprint(uint16(k), " ", k))
	}
	for a := AttrTLSVersion; a < NumAttrs; a++ {
		attrs = append(attrs, fmt.Sprint(uint16(a), " ", a))
	}
	for s := range NumSpans {
		spans = append(spans, fmt.Sprint(int(s), " ", s))
	}
	for i, name := range flagNames() {
		flags = append(flags, fmt.Sprint(i, " ", name))
	}
	for h := HookAuth; int(h) < NumHooks; h++ {
		word := map[bool]string{true: "yes", false: "reserved"}[h.Supported()]
		hooks = append(hooks, fmt.Sprint(uint16(h), " ", h, " ", word))
	}
	for k := KeyText; k < NumKeys; k++ {
		keys = append(keys, strings.TrimSpace(fmt.Sprint(uint16(k), " ", k, " ", takes(k))))
	}
	doc := tables(t)
	compare := func(header string, want []string, columns ...int) {
		t.Helper()
		var got []string
		for _, row := range doc[header] {
			var cells []string
			for _, c := range columns {
				cells = append(cells, row[c])
			}
			got = append(got, strings.TrimSpace(strings.Join(cells, " ")))
		}
		if !slices.Equal(got, want) {
			t.Errorf("table %q:\nABI.md %q\ncode   %q", header, got, want)
		}
	}
	compare("op name question a b", ops, 0, 1)
	compare("kind name", events, 0, 1)
	compare("key name value", attrs, 0, 1)
	compare("span name bytes", spans, 0, 1)
	compare("bit flag meaning", flags, 0, 1)
	compare("key name value hooks", keys, 0, 1, 3)
	if len(doc["kind hook called"]) != len(hooks) {
		t.Fatalf("%d hooks, the code has %d", len(doc["kind hook called"]), len(hooks))
	}
	for i, row := range doc["kind hook called"] {
		got := row[0] + " " + row[1] + " " + strings.TrimSuffix(row[2], ", without a record")
		if got != hooks[i] {
			t.Errorf("hook %q, the code says %q", got, hooks[i])
		}
	}
}

// TestDocumentedVersion holds the title, and the versions that a manifest may name.
func TestDocumentedVersion(t *testing.T) {
	b, err := os.ReadFile("../../guest-sdk/ABI.md")
	if err != nil {
		t.Fatal(err)
	}
	title, text, _ := strings.Cut(string(b), "\n")
	if want := fmt.Sprintf("# The guest ABI, version %d.%d", Version, Minor); title != want {
		t.Errorf("the title is %q, want %q", title, want)
	}
	_, manifest, _ := strings.Cut(text, "## 8.")
	manifest, _, _ = strings.Cut(manifest, "## 9.")
	for minor := range Minor + 1 {
		if word := fmt.Sprintf(`"%d.%d"`, Version, minor); !strings.Contains(manifest, word) {
			t.Errorf("section 8 does not name %s", word)
		}
		if word := fmt.Sprintf("Minor %d", minor); minor > 0 && !strings.Contains(text, word) {
			t.Errorf("nothing is said of %s", word)
		}
	}
}

// takes lists the hooks that take a key, none for a reserved one.
func takes(k Key) string {
	var names []string
	for h := HookAuth; int(h) < NumHooks; h++ {
		if k.Supported() && k.Takes(h) {
			names = append(names, h.String())
		}
	}
	return strings.Join(names, " ")
}

// TestDocumentedLayout holds the header's offsets and the actions.
func TestDocumentedLayout(t *testing.T) {
	doc := tables(t)
	offsets := []int{OffSize, OffKind, OffOp, OffSession, OffRequest, OffTime, OffA, OffB, OffFlags, OffSpans, HeaderSize}
	rows := doc["offset type field"]
	if len(rows) != len(offsets) {
		t.Fatalf("%d fields, the code has %d", len(rows), len(offsets))
	}
	for i, row := range rows {
		if row[0] != fmt.Sprint(offsets[i]) {
			t.Errorf("field %q is at %s, the code says %d", row[2], row[0], offsets[i])
		}
	}
	hooks := []Hook{HookAuth, HookFS, HookList, HookCmd, HookSite, HookThrottle, HookData, HookEvent, HookCert}
	for i, row := range doc[actionTable] {
		if row[0] != fmt.Sprint(i) || row[1] != actionName(policy.Verdict(i)) {
			t.Errorf("action %q", row[:2])
		}
		for c, h := range hooks {
			if has := row[2+c] != "-"; has != h.Returns(policy.Verdict(i)) {
				t.Errorf("action %s of the hook %s: ABI.md says %v", row[1], h, has)
			}
		}
	}
	if len(doc[actionTable]) != int(Fail)+1 {
		t.Error("actions are missing")
	}
	entry := []string{"0", "4", "8", "12", "16", "24"}
	for i, row := range doc["offset in entry type fact"] {
		if i >= len(entry) || row[0] != entry[i] {
			t.Errorf("fact %q is at %s", row[2], row[0])
		}
	}
	if len(doc["offset in entry type fact"]) != len(entry) || EntrySize != 32 {
		t.Error("facts of an entry are missing")
	}
}

const actionTable = "action name auth fs list cmd site throttle data event, config cert"

// TestDocumentedImports holds the tables of section 7.
func TestDocumentedImports(t *testing.T) {
	doc := tables(t)
	rows := doc["import type capability parameters"]
	all := Imports()
	if len(rows) != len(all) {
		t.Fatalf("%d imports, the code has %d", len(rows), len(all))
	}
	for i, row := range rows {
		if row[0] != all[i].Name || row[1] != all[i].Type || row[2] != all[i].Capability {
			t.Errorf("import %q, the code says %q", row, all[i])
		}
		params, _, _ := strings.Cut(row[1], " -> ")
		if strings.Count(params, "i") != len(strings.Split(row[3], ", ")) {
			t.Errorf("%s has not %q", row[0], row[3])
		}
	}
	errs := []string{"NOT_FOUND", "FULL", "SIZE", "TYPE", "DENIED", "IO", "TIMEOUT", "BUSY", "INVALID"}
	codes := []Errno{ErrnoNotFound, ErrnoFull, ErrnoSize, ErrnoType, ErrnoDenied, ErrnoIO, ErrnoTimeout, ErrnoBusy, ErrnoInvalid}
	for i, row := range doc["error name meaning"] {
		if i >= len(errs) || row[0] != fmt.Sprint(int32(codes[i])) || row[1] != errs[i] {
			t.Errorf("error %q", row)
		}
	}
	if len(doc["error name meaning"]) != len(errs) {
		t.Error("errors are missing")
	}
	if got := Errno(-99).Error(); got != "unknown error of the host" || ErrnoInvalid.Error() != "invalid argument" {
		t.Errorf("words of errors: %q, %q", got, ErrnoInvalid)
	}
}

// TestDocumentedExports holds the names of exports that ABI.md uses to those that
// the code knows.
func TestDocumentedExports(t *testing.T) {
	b, err := os.ReadFile("../../guest-sdk/ABI.md")
	if err != nil {
		t.Fatal(err)
	}
	known := []string{ExportABI, ExportConfig, "edgeftp_abi_v2"}
	for h := HookAuth; int(h) < NumHooks; h++ {
		if h.Supported() {
			known = append(known, h.Export())
		}
	}
	for _, name := range regexp.MustCompile("edgeftp_[a-z0-9_]+").FindAllString(string(b), -1) {
		if name != ExportPrefix && !slices.Contains(known, name) {
			t.Errorf("ABI.md speaks of %s", name)
		}
	}
}

// TestDocumentedBytes finds each block of hex of the document among the golden vectors.
func TestDocumentedBytes(t *testing.T) {
	var vectors []struct{ Record, Reply string }
	golden := ""
	for _, file := range []string{"records.json", "replies.json"} {
		b, err := os.ReadFile("../../guest-sdk/vectors/" + file)
		if err == nil {
			err = json.Unmarshal(b, &vectors)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range vectors {
			golden += v.Record + "\n" + v.Reply + "\n"
		}
		vectors = nil
	}
	b, err := os.ReadFile("../../guest-sdk/ABI.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, block := range strings.Split(string(b), "```hex\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		digits := ""
		for line := range strings.Lines(block) {
			for _, word := range strings.Fields(line) {
				if _, err := strconv.ParseUint(word, 16, 8); err != nil || len(word) != 2 {
					break // the words behind the bytes
				}
				digits += word
			}
		}
		found++
		if !strings.Contains(golden, digits+"\n") {
			t.Errorf("no vector has the bytes of\n%s", block)
		}
	}
	if found < 4 {
		t.Errorf("%d blocks", found)
	}
}
