package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Bandwidth is how many bytes per second may pass on the wire. The limits hold
// together: a transfer is under its session, that under its user, its listener and
// the server.
type Bandwidth struct {
	Server    Rates
	Listeners map[string]Rates // by name
	User      Rates            // of each user who has none of his own, over all sessions
	Session   Rates            // of each session
	Transfer  Rates            // of each transfer
}

// Rates are bytes per second, from the server (Down) and to it (Up). Zero is no
// limit.
type Rates struct{ Down, Up int64 }

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
func (f fileRates) rates() Rates {
	down, _ := parseRate(string(f.Down))
	up, _ := parseRate(string(f.Up))
	return Rates{Down: down, Up: up}
}

func (r Rates) file() fileRates {
	return fileRates{Down: textOrNumber(orElse(formatSize(r.Down), "0")), Up: textOrNumber(orElse(formatSize(r.Up), "0"))}
}

func (c *checker) bandwidth(f *file) Bandwidth {
	b := &f.Bandwidth
	made := Bandwidth{Server: b.Global.rates(), User: b.User.rates(), Session: b.Session.rates(), Transfer: b.Transfer.rates()}
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
			made.Listeners = map[string]Rates{}
		}
		made.Listeners[name] = b.Listener[name].rates()
	}
	return made
}

func (b *Bandwidth) file() fileBandwidth {
	f := fileBandwidth{Global: b.Server.file(), Listener: map[string]fileRates{}, User: b.User.file(), Session: b.Session.file(), Transfer: b.Transfer.file()}
	for name, r := range b.Listeners {
		f.Listener[name] = r.file()
	}
	return f
}
