package cases

import (
	"fmt"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Words tells the question in one line, for people.
func (c *Case) Words() string {
	var b strings.Builder
	b.WriteString(c.Hook)
	add := func(on bool, format string, v ...any) {
		if on {
			fmt.Fprintf(&b, format, v...)
		}
	}
	add(c.Op != "", " %s", c.Op)
	add(c.Verb != "", " %s", c.Verb)
	second := c.op() == policy.OpRename || c.op() == policy.OpSymlink
	switch hookOf(c.Hook) {
	case abi.HookCmd, abi.HookSite:
		add(c.Arg != "", " %q", c.Arg)
		add(c.Path != "", " in %s", c.Path)
	case abi.HookCert:
		add(true, " %s", c.Arg)
	default:
		add(c.Path != "", " %s", c.Path)
		add(c.Path2 != "", " -> %s", c.Path2)
		add(second && c.Path2 == "", " (the second path is not known yet)")
		add(c.Arg != "", ", arg %q", c.Arg)
	}
	add(len(c.Entries) > 0, " of %d entries", len(c.Entries))
	add(c.Upload, ", upload")
	add(c.Data != "" || c.Hook == abi.HookData.String(), ", %d bytes", len(c.Data))
	add(c.Last, ", last")
	add(c.A != 0, ", a %d", c.A)
	add(c.B != 0, ", b %d", c.B)
	add(c.Size != 0, ", size %d", c.Size)
	add(c.Dir, ", a directory")
	add(c.Exists, ", exists")
	add(c.Early, ", early")
	add(c.Carry != "", ", carry %q", c.Carry)
	add(c.User != "", ", user %s", c.User)
	add(c.Group != "", ", group %s", c.Group)
	add(c.VHost != "", ", virtual host %s", c.VHost)
	add(c.Protocol != "", ", over %s", c.Protocol)
	add(c.Binding != "", ", with a binding")
	add(c.DataPeer != "", ", data connection with %s", c.DataPeer)
	add(c.Password != "", ", with a password")
	add(c.Peer != "", ", from %s", c.Peer)
	add(c.TLS || c.CertSHA != "", ", TLS")
	add(c.CertSHA != "", ", certificate %.16s", c.CertSHA)
	add(c.State != "", ", state %q", c.State)
	return abi.Clean(b.String(), 1000)
}
