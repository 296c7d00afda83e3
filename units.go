package edgeftp

import "embed"

//go:embed packaging/systemd/edgeftp.service packaging/systemd/edgeftp.socket packaging/systemd/low-ports.conf
var units embed.FS

// Units returns systemd's unit files under their paths in the module.
func Units() embed.FS { return units }
