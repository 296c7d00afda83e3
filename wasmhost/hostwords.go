package wasmhost

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Words tells the call in one line, for people: the import, what the guest gave it, and
// what it was told. Of stored hashes it tells the length alone.
func (c *HostCall) Words() string {
	args := c.arguments()
	switch c.Import {
	case abi.ImportVerify:
		args = []string{fmt.Sprintf("a hash of %d bytes", max(len(c.In)-4, 0))}
	case abi.ImportFetch:
		if len(c.In) < 4 {
			break
		}
		if r, err := abi.DecodeFetchRequest(c.In[4:]); err == nil {
			args = []string{strings.TrimSpace(r.Method + " " + r.URL)}
		}
	}
	return abi.Clean(c.Import+"("+strings.Join(args, ", ")+")"+c.told(), 1000)
}

// arguments tells what the guest gave, as far as it is there.
func (c *HostCall) arguments() (args []string) {
	in, le := c.In, binary.LittleEndian
	for _, kind := range border(c.Import) {
		switch kind {
		case 'b', 'v':
			if len(in) < 4 {
				return args
			}
			n := le.Uint32(in)
			if in = in[4:]; n == abi.NoValue {
				args = append(args, "none")
				continue
			}
			n = min(n, uint32(len(in)))
			args, in = append(args, quoted(in[:n])), in[n:]
		case 'i', 'l', 'r':
			if len(in) < 8 {
				return args
			}
			args, in = append(args, strconv.FormatInt(int64(le.Uint64(in)), 10)), in[8:]
		}
	}
	return args
}

// told is what the guest was told.
func (c *HostCall) told() string {
	switch shape := border(c.Import); {
	case c.Import == abi.ImportLog, c.Import == abi.ImportMetric, shape == "r":
		return ""
	case c.Result < 0:
		return fmt.Sprintf(" = %d, %s", c.Result, abi.Errno(c.Result))
	case strings.HasSuffix(shape, "c") && len(c.Out) == 8:
		return fmt.Sprintf(" = %d", int64(binary.LittleEndian.Uint64(c.Out)))
	case c.Import == abi.ImportFetch:
		if r, err := abi.DecodeFetchResponse(c.Out); err == nil {
			return fmt.Sprintf(" = %d, %d bytes", r.Status, len(r.Body))
		}
	case c.Import == abi.ImportStat || c.Import == abi.ImportDigest:
		return fmt.Sprintf(" = %x", c.Out)
	case c.Import == abi.ImportKVGet && int64(len(c.Out)) < c.Result:
		return fmt.Sprintf(" = %d bytes, of which there was no room", c.Result)
	case c.Import == abi.ImportKVGet:
		return " = " + quoted(c.Out)
	}
	return fmt.Sprintf(" = %d", c.Result)
}

// quoted is at most 100 bytes in quotes.
func quoted(b []byte) string {
	if len(b) > 100 {
		return fmt.Sprintf("%q...", b[:100])
	}
	return strconv.Quote(string(b))
}
