package cases

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// TestDocument holds the tables of ABI §8 to the code.
func TestDocument(t *testing.T) {
	b, err := os.ReadFile("../../../guest-sdk/ABI.md")
	if err != nil {
		t.Fatal(err)
	}
	for header, keys := range map[string]func(abi.Hook) string{
		"| test key | hooks |": func(h abi.Hook) string { return common + keysOf(h) },
		"| want key | hooks |": func(h abi.Hook) string { return commonWant + wantsOf(h) },
	} {
		_, table, _ := strings.Cut(string(b), header)
		table, _, _ = strings.Cut(table, "\n\n")
		written := map[string][]string{} // keys by hook
		for line := range strings.Lines(table) {
			cells := strings.Split(line, "|")
			if len(cells) < 4 || !strings.HasPrefix(cells[1], " `") {
				continue
			}
			hooks := strings.Fields(cells[2])
			if hooks[0] == "all" {
				hooks = []string{"auth", "fs", "list", "cmd", "site", "throttle", "data", "event", "cert"}
			}
			for _, h := range hooks {
				written[h] = append(written[h], strings.Trim(cells[1], " `"))
			}
		}
		for h := abi.HookAuth; h < abi.HookIdle; h++ {
			want := strings.Fields(keys(h))
			slices.Sort(want)
			got := written[h.String()]
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s %s: ABI.md says %q, the code %q", header, h, got, want)
			}
		}
	}
}
