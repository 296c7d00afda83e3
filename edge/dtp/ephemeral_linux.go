package dtp

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// systemPorts reads the range of ports that the kernel chooses from, less those that are
// kept for somebody (Linux, Documentation/networking/ip-sysctl.rst). It holds for IPv6 too.
func systemPorts() PortRange {
	span, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return nil
	}
	kept, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_reserved_ports")
	if err != nil {
		return nil
	}
	return parseEphemeral(string(span), string(kept))
}

// parseEphemeral is the range "first last" less the list "a,b-c"; nil if either is not
// of that form.
func parseEphemeral(span, kept string) PortRange {
	words := strings.Fields(span)
	if len(words) != 2 {
		return nil
	}
	free, ok := parsePorts(words[0], words[1])
	if !ok {
		return nil
	}
	var holes PortRange
	if kept = strings.TrimSpace(kept); kept != "" {
		for part := range strings.SplitSeq(kept, ",") {
			first, last, ranged := strings.Cut(part, "-")
			if !ranged {
				last = first
			}
			hole, ok := parsePorts(first, last)
			if !ok {
				return nil
			}
			holes = append(holes, hole)
		}
	}
	slices.SortFunc(holes, func(a, b PortSpan) int { return int(a.First) - int(b.First) })
	return without(free, holes)
}

// without is a span less the holes, which are sorted by their first port.
func without(free PortSpan, holes PortRange) (r PortRange) {
	next := int(free.First)
	for _, h := range holes {
		if next < int(h.First) && next <= int(free.Last) {
			r = append(r, PortSpan{uint16(next), min(h.First-1, free.Last)})
		}
		next = max(next, int(h.Last)+1)
	}
	if next <= int(free.Last) {
		r = append(r, PortSpan{uint16(next), free.Last})
	}
	return r
}

// parsePorts is a span of ports that exist.
func parsePorts(first, last string) (PortSpan, bool) {
	a, err := strconv.ParseUint(first, 10, 16)
	if err != nil {
		return PortSpan{}, false
	}
	b, err := strconv.ParseUint(last, 10, 16)
	return PortSpan{uint16(a), uint16(b)}, err == nil && a > 0 && a <= b
}
