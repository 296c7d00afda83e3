package config

import (
	"errors"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/acme/providers"
)

// provider checks who adds the records of dns-01, and what it asks for.
func (c *checker) provider(d *DNS, path []string) {
	if d.Provider == "" { // missing, or refused by the schema
		return
	}
	for name, s := range d.Settings {
		s.open = openSettings(d.Provider)[name]
		d.Settings[name] = s
	}
	var faults providers.Faults
	errors.As(providers.Check(d.Provider, d.Values()), &faults)
	for _, f := range faults {
		at := sub(path, "settings", f.Setting)
		_, given := d.Settings[f.Setting]
		switch {
		case f.Setting == "":
			c.at(sub(path, "provider"), f.What, f.Help)
		case strings.HasPrefix(f.What, "unknown"):
			c.key(at, f.What, f.Help)
		case !given:
			c.key(at, strconv.Quote(f.Setting)+" "+f.What, f.Help)
		default:
			c.at(at, about(f.Setting, f.What), f.Help)
		}
	}
}

// about puts the name of a setting before what is wrong with it, if that begins with
// no value.
func about(setting, what string) string {
	if strings.HasPrefix(what, `"`) {
		return what
	}
	return strconv.Quote(setting) + " " + what
}

// openSettings are those of a provider that are no secrets.
func openSettings(provider string) map[string]bool {
	list := map[string]bool{}
	for _, p := range providers.Describe() {
		for _, s := range p.Settings {
			if p.Name == provider && !s.Secret {
				list[s.Name] = true
			}
		}
	}
	return list
}
