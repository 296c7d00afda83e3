package edgeftp

import "embed"

//go:embed docs/certificates.md docs/dns-providers.md docs/durability.md docs/policies.md docs/production.md docs/sandbox.md
var documents embed.FS

// Documents returns what edgeftp help shows of the documentation, under its paths in the
// module.
func Documents() embed.FS { return documents }
