package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/edge"
)

type fileBandwidth struct {
	Global   fileRates            `json:"global"`
	Listener map[string]fileRates `json:"listener"`
	User     fileRates            `json:"user_default"`
	Session  fileRates            `json:"session_default"`
	Transfer fileRates            `json:"transfer_default"`
}

type fileRates struct {
	Down textOrNumber `json:"down"`
	Up   textOrNumber `json:"up"`
}

// rates reads what the schema has checked; zero and what it refused are no limit.
func (f fileRates) rates() edge.Rates {
	down, _ := parseRate(string(f.Down))
	up, _ := parseRate(string(f.Up))
	return edge.Rates{Down: down, Up: up}
}

func ratesFile(r edge.Rates) fileRates {
	return fileRates{Down: textOrNumber(orElse(formatSize(r.Down), "0")), Up: textOrNumber(orElse(formatSize(r.Up), "0"))}
}

func (c *checker) bandwidth(f *file) edge.Bandwidth {
	b := &f.Bandwidth
	made := edge.Bandwidth{Server: b.Global.rates(), User: b.User.rates(), Session: b.Session.rates(), Transfer: b.Transfer.rates()}
	var names []string
	for _, l := range f.Listeners {
		if l.Name != "" { // what the schema refused
			names = append(names, l.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.Listener)) {
		if !slices.Contains(names, name) {
			c.key([]string{"bandwidth", "listener", name}, fmt.Sprintf("there is no listener %q", name),
				suggest(name, names, "one of: "+strings.Join(names, ", ")))
			continue
		}
		if made.Listeners == nil {
			made.Listeners = map[string]edge.Rates{}
		}
		made.Listeners[name] = b.Listener[name].rates()
	}
	return made
}

func bandwidthFile(b edge.Bandwidth) fileBandwidth {
	f := fileBandwidth{Global: ratesFile(b.Server), Listener: map[string]fileRates{}, User: ratesFile(b.User), Session: ratesFile(b.Session),
		Transfer: ratesFile(b.Transfer)}
	for name, r := range b.Listeners {
		f.Listener[name] = ratesFile(r)
	}
	return f
}
