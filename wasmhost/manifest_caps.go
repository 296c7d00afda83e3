package wasmhost

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/internal/fetch"
)

// maxOrigins bounds the hosts that one manifest may name.
const maxOrigins = 32

// capabilities reads what the module wants.
func (r *manifestReader) capabilities(v value, m *Manifest) {
	if v.kind == "a list" && len(v.items) == 0 {
		return
	}
	m.Capabilities = r.words(v, "capabilities", func(s string) bool { return s != "" })
	spaces := 0
	for i, text := range m.Capabilities {
		what, detail, detailed := strings.Cut(text, ":")
		item := v.items[i]
		switch {
		case !slices.Contains(knownCapabilities(), what):
			r.fail(item, "one of "+strings.Join(knownCapabilities(), ", "))
			if r.fault != nil {
				r.fault.unknown, r.fault.help = true, "correct its name, or leave it out; later servers may have more"
			}
			return
		case what == abi.CapKV:
			if spaces++; spaces > 1 || detailed && !isSpace(detail) {
				r.fail(item, "one space: kv, or kv:NAMESPACE with 1 to 64 bytes of a-z, 0-9, '.', '_' and '-'")
			}
			r.wanted = detail
		case what == abi.CapFetch:
			o, err := parseOrigin(detail)
			if m.fetch = append(m.fetch, o); err != nil || len(m.fetch) > maxOrigins {
				r.fail(item, fmt.Sprintf("fetch:HOST or fetch:HOST:PORT, at most %d of them", maxOrigins))
			}
		case detailed:
			r.fail(item, what+" and nothing behind it")
		}
	}
}

func knownCapabilities() []string {
	return []string{abi.CapLog, abi.CapKV, abi.CapMetric, abi.CapRandom, abi.CapVerify, abi.CapPassword,
		abi.CapStat, abi.CapDigest, abi.CapFetch}
}

// parseOrigin reads HOST or HOST:PORT.
func parseOrigin(s string) (origin, error) {
	if err := fetch.Check("https://" + s); err != nil || strings.ContainsAny(s, "*/@?#") || strings.ToLower(s) != s {
		return origin{}, errors.New("no host")
	}
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		host, port = s[:i], s[i+1:]
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if addr, err := netip.ParseAddr(host); err == nil {
		host = addr.Unmap().String()
	}
	o := origin{host: host}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return origin{}, errors.New("no port")
		}
		o.port = uint16(n)
	} else if strings.HasSuffix(s, ":") {
		return origin{}, errors.New("no port")
	}
	return o, nil
}

// sameSpace brings together what capabilities and kv say about the space.
func (r *manifestReader) sameSpace(root value, m *Manifest) {
	kv, given := root.fields["kv"]
	declared := slices.ContainsFunc(m.Capabilities, func(s string) bool { return s == abi.CapKV || strings.HasPrefix(s, abi.CapKV+":") })
	switch {
	case r.fault != nil:
	case given && !declared:
		r.failAt(kv.at, "kv", "kv describes a space, and capabilities does not want one", `"kv" among the capabilities`, "")
	case r.wanted != "" && m.Space != "" && r.wanted != m.Space:
		r.failAt(kv.at, "kv", fmt.Sprintf("kv.namespace is %q, capabilities says %q", m.Space, r.wanted), "one space", "")
	case r.wanted != "":
		m.Space = r.wanted
	}
}
