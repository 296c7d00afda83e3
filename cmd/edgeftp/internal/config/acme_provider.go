package config

import (
	"fmt"
	"slices"
	"strings"
)

// provider checks who adds the records of dns-01.
func (c *checker) provider(d *DNS, path []string) {
	if d.Provider == "" { // missing, or refused by the schema
		return
	}
	if names := providerNames(); !slices.Contains(names, d.Provider) {
		c.at(sub(path, "provider"), fmt.Sprintf("%q is no provider of DNS that edgeftp has", d.Provider),
			suggest(d.Provider, names, "one of: "+strings.Join(names, ", ")+"; dns-persist-01 needs none"))
	}
}

func providerNames() []string {
	return []string{"acmedns", "cloudflare", "hetzner", "rfc2136", "route53"}
}
