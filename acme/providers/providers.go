// Package providers has the DNS providers that the server can prove names with
// (DNS-01, RFC 8555 §8.4), each under the name and with the settings that the
// configuration file uses. They are few: what is compiled in is kept up with, and
// loads no server that does not use it. Whoever embeds the server can hand any
// package of the libdns project to [acme.DNS] instead.
//
// Two are made here of the kept client of the API, where the package of libdns cannot
// be taken: that for route53 (v1.6.2) ends the program if the machine's files for
// Amazon's tools cannot be read, and loses a record that another node adds meanwhile;
// that for acmedns (v0.5.0) leaks connections, panics at a bad URL and does not end with
// its context.
//
// [Describe] says which there are, [Check] what is wrong with the settings of one,
// and [Open] makes it. No error holds a secret.
package providers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/acme"
)

// Provider describes a DNS provider.
type Provider struct {
	Name     string // in the configuration file
	What     string // whose, in a sentence without its full stop
	Settings []Setting
	// Needs says in a sentence what to do at the provider first.
	Needs string
}

// Setting describes one setting of a provider, which is a text.
type Setting struct {
	Name     string // in the configuration file
	Required bool
	Secret   bool   // never to be shown
	Help     string // what to write, in a sentence without its full stop
}

// provider is a Provider that can be made.
type provider struct {
	Provider
	// also are names under which people know it.
	also []string
	// checks are by setting; a setting without one may be any text.
	checks map[string]check
	// whole checks what a single setting cannot tell; nil checks nothing.
	whole func(settings map[string]string) Faults
	// open makes it of settings that were checked.
	open func(settings map[string]string) (acme.Provider, error)
	// hints explain its errors.
	hints []hint
	// tells says that it returns the records it has deleted, and no error where
	// there should be one.
	tells bool
}

// Names are those of the providers, in the order of the alphabet.
func Names() []string {
	var names []string
	for _, p := range all() {
		names = append(names, p.Name)
	}
	return names
}

// Describe returns every provider, in the order of [Names].
func Describe() []Provider {
	var list []Provider
	for _, p := range all() {
		list = append(list, p.Provider)
	}
	return list
}

// Open makes a provider. Its error is that of [Check]. Nothing is connected to before
// a record is added; the provider then adds and removes TXT records alone, and its
// errors are of type [Error].
func Open(name string, settings map[string]string) (acme.Provider, error) {
	if err := Check(name, settings); err != nil {
		return nil, err
	}
	p := find(name)
	made, err := p.open(settings)
	if err != nil {
		return nil, err
	}
	return &guard{provider: p, inner: made, secrets: p.secrets(settings)}, nil
}

func find(name string) *provider {
	list := all()
	if i := slices.IndexFunc(list, func(p provider) bool { return p.Name == name }); i >= 0 {
		return &list[i]
	}
	return nil
}

func (p *provider) setting(name string) *Setting {
	if i := slices.IndexFunc(p.Settings, func(s Setting) bool { return s.Name == name }); i >= 0 {
		return &p.Settings[i]
	}
	return nil
}

// secrets are the values that no error may hold, the longest first: a short one may be
// part of another.
func (p *provider) secrets(settings map[string]string) []string {
	var values []string
	for _, s := range p.Settings {
		if v := settings[s.Name]; s.Secret && v != "" {
			values = append(values, v)
		}
	}
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	return values
}

// Fault is one thing that is wrong with the settings of a provider.
type Fault struct {
	// Setting is the name of the setting, or empty: the fault is in the provider's name.
	Setting string
	What    string // is wrong, without the setting's name
	Help    string // what to write
}

// Error returns what is wrong, where, and what to write.
func (f Fault) Error() string {
	where := "dns.provider"
	if f.Setting != "" {
		where = "dns.settings." + f.Setting
	}
	return fmt.Sprintf("%s: %s\n   = help: %s", where, f.What, f.Help)
}

// Faults are all that is wrong, in the order in which the settings are described. It is
// the error of [Check].
type Faults []Fault

// Error returns them, one below the other.
func (f Faults) Error() string {
	texts := make([]string, 0, len(f))
	for _, one := range f {
		texts = append(texts, one.Error())
	}
	return strings.Join(texts, "\n")
}
