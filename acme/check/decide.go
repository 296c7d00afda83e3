package check

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
)

// decide tells of names that nothing can prove as it is, and what would: the table in
// the documentation, with what was found here.
func (r *run) decide(ctx context.Context) {
	free := map[string]bool{}
	for _, s := range r.names {
		if s.out() {
			continue
		}
		methods := r.methods(s)
		if slices.ContainsFunc(methods, func(m string) bool { return s.verdicts[m] != fails }) {
			continue
		}
		text := "none of the configured challenges (" + list(methods) + ") can prove this name as it is"
		if len(methods) == 0 {
			text = "no configured challenge can prove this name"
		}
		r.add(areaChallenge, s.name, Fail, text, r.alternative(ctx, s, methods, free))
	}
}

// alternative is what would work, as far as was tried.
func (r *run) alternative(ctx context.Context, s *subject, tried []string, free map[string]bool) string {
	var ways []string
	offer := func(method, words string) {
		if !slices.Contains(tried, method) {
			ways = append(ways, method+", "+words)
		}
	}
	if !s.wild && len(r.reachable(s)) > 0 {
		if r.free(ctx, r.opt.Ports.TLS, free) {
			offer(tlsALPN01, fmt.Sprintf("as port %d is free here (tls_alpn.listen: [\":%d\"])", r.opt.Ports.TLS, r.opt.Ports.TLS))
		}
		if r.free(ctx, r.opt.Ports.HTTP, free) {
			offer(http01, fmt.Sprintf("as port %d is free here (http.listen: [\":%d\"])", r.opt.Ports.HTTP, r.opt.Ports.HTTP))
		}
	}
	if !s.ip.IsValid() {
		offer(dns01, "which needs no port but a key for the zone (dns.provider)")
		offer(dnsPersist01, "which needs neither port nor key, but one record by hand, and an authority that has it (edgeftp cert dns-record)")
	}
	if len(ways) == 0 {
		return "mend what is said of the challenges above"
	}
	if len(tried) == 0 {
		return "use " + strings.Join(ways, "; or ")
	}
	return "mend what is said above, or use " + strings.Join(ways, "; or ")
}

// free reports whether a port can be listened on; it is let go at once.
func (r *run) free(ctx context.Context, port int, known map[string]bool) bool {
	address := fmt.Sprintf(":%d", port)
	if is, ok := known[address]; ok {
		return is
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err == nil {
		err = l.Close()
	}
	known[address] = err == nil
	return err == nil
}
