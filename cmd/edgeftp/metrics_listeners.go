package main

import (
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/quicnet"
	"github.com/edgeftp/edgeftp/policies/metrics"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// tellCounts tells what the listeners' sessions do and have done.
func tellCounts(tell func(metrics.Sample), all []edge.ListenerCounts) {
	for i := range all {
		c := &all[i]
		l := metrics.Label{Name: "listener", Value: c.Name}
		for state, n := range map[string]int{"login": c.Login, "transfer": c.Transfer, "idle": c.Quiet} {
			tell(metrics.Sample{Name: "edgeftp_sessions", Help: "Sessions that are open: not logged in yet, in a transfer, or idle.", Value: float64(n),
				Labels: []metrics.Label{l, {Name: "state", Value: state}}})
		}
		tell(metrics.Sample{Name: "edgeftp_passive_ports", Help: "Passive ports that there are; 0 leaves the choice to the system.", Value: float64(c.Ports), Labels: []metrics.Label{l}})
		tell(metrics.Sample{Name: "edgeftp_passive_ports_in_use", Help: "Passive ports on which a client is waited for.", Value: float64(c.Data.PortsHeld), Labels: []metrics.Label{l}})
		tell(metrics.Sample{Name: "edgeftp_passive_ports_exhausted_total", Help: "Clients that were answered 425, as no passive port was free.", Kind: metrics.Counter,
			Value: float64(c.Data.NoPort), Labels: []metrics.Label{l}})
		tell(metrics.Sample{Name: "edgeftp_commands_unknown_total", Help: "Commands that the server does not have; they are not in edgeftp_commands_total.", Kind: metrics.Counter,
			Value: float64(c.Unknown), Labels: []metrics.Label{l}})
		for cause, n := range map[string]uint64{"no_space": c.Storage.NoSpace, "read_only": c.Storage.ReadOnly, "permission": c.Storage.Permission, "fault": c.Storage.Fault} {
			tell(metrics.Sample{Name: "edgeftp_storage_errors_total", Help: "Commands and transfers that failed as the storage could not do it: no_space, read_only, permission (of the server's user), or a fault of the system.",
				Kind: metrics.Counter, Value: float64(n), Labels: []metrics.Label{l, {Name: "cause", Value: cause}}})
		}
		for _, d := range c.Data.Data {
			mode := "passive"
			if d.Active {
				mode = "active"
			}
			tell(metrics.Sample{Name: "edgeftp_data_connections_total", Help: "Data connections by how their opening went.", Kind: metrics.Counter, Value: float64(d.Count),
				Labels: []metrics.Label{l, {Name: "mode", Value: mode}, {Name: "result", Value: d.Result}}})
		}
		for _, d := range []dtp.Direction{dtp.Download, dtp.Upload, dtp.Listing} {
			tellDirection(tell, &c.Data, d, l)
		}
	}
}

func tellDirection(tell func(metrics.Sample), st *dtp.TallyStatus, d dtp.Direction, l metrics.Label) {
	labels := []metrics.Label{l, {Name: "direction", Value: d.String()}}
	tell(metrics.Sample{Name: "edgeftp_transfers", Help: "Transfers that run.", Value: float64(st.Running[d]), Labels: labels})
	tell(metrics.Sample{Name: "edgeftp_throttle_wait_seconds_total", Help: "For how long limits on rates have held transfers back, all levels together.", Kind: metrics.Counter,
		Value: st.Waited[d].Seconds(), Labels: labels})
	tellTimes(tell, metrics.Sample{Name: "edgeftp_transfer_first_byte_seconds", Help: "From the beginning of a transfer, its data connection and TLS included, until its first bytes had moved.",
		Labels: labels}, &st.FirstByte[d])
}

// tellTimes tells durations as a histogram.
func tellTimes(tell func(metrics.Sample), s metrics.Sample, times *dtp.Times) {
	s.Kind, s.Count, s.Sum = metrics.Histogram, times.Total, times.Sum.Seconds()
	for i, n := range times.Count {
		s.Buckets = append(s.Buckets, metrics.Bucket{UpTo: times.UpTo[i], Count: n})
	}
	tell(s)
}

// tellOperations tells what sessions have asked of the storage, and how that went.
func tellOperations(tell func(metrics.Sample), all []edge.OperationStatus) {
	for i := range all {
		o := &all[i]
		of := metrics.Label{Name: "operation", Value: o.Operation}
		for result, n := range map[string]uint64{"ok": o.OK, "not_found": o.NotFound, "refused": o.Refused, "failed": o.Failed} {
			tell(metrics.Sample{Name: "edgeftp_storage_operations_total", Kind: metrics.Counter, Value: float64(n), Labels: []metrics.Label{of, {Name: "result", Value: result}},
				Help: "What sessions have asked of the storage, but for the bytes of files and the entries of directories; failed is what it could not do, refused what was not possible as asked."})
		}
		tellTimes(tell, metrics.Sample{Name: "edgeftp_storage_operation_duration_seconds", Help: "How long the storage took for what sessions asked of it.", Labels: []metrics.Label{of}}, &o.Times)
	}
}

// tellCompilations tells what came of the cache of compiled modules.
func tellCompilations(tell func(metrics.Sample), c wasmhost.Compilations) {
	for result, n := range map[string]uint64{"hit": c.Hits, "miss": c.Misses} {
		tell(metrics.Sample{Name: "edgeftp_policy_compile_cache_total", Help: "Modules that were loaded, by whether their native code was kept from before (hit) or they were compiled (miss).",
			Kind: metrics.Counter, Value: float64(n), Labels: []metrics.Label{{Name: "result", Value: result}}})
	}
}

// tell tells how requests of HTTP were answered.
func (a *answered) tell(tell func(metrics.Sample)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for of, n := range a.of {
		tell(metrics.Sample{Name: "edgeftp_http_responses_total", Help: "Answers of HTTP by protocol and class of status; none is a request that got no answer.", Kind: metrics.Counter,
			Value: float64(n), Labels: []metrics.Label{{Name: "protocol", Value: of.protocol}, {Name: "class", Value: of.class}}})
	}
}

// tellPorts tells what the UDP ports have seen.
func (in *generation) tellPorts(tell func(metrics.Sample)) {
	for _, p := range in.fronts.ports {
		if st, ok := p.stats(); ok {
			tellQUIC(tell, p.local().String(), &st)
		}
	}
}

func tellQUIC(tell func(metrics.Sample), address string, st *quicnet.Stats) {
	at := metrics.Label{Name: "address", Value: address}
	for protocol, n := range map[string]int{quicnet.ProtocolFTP: st.FTP, quicnet.ProtocolHTTP: st.HTTP} {
		tell(metrics.Sample{Name: "edgeftp_quic_connections", Help: "Connections of QUIC that are open.", Value: float64(n),
			Labels: []metrics.Label{at, {Name: "protocol", Value: protocol}}})
	}
	counter := func(name, help string, n uint64, labels ...metrics.Label) {
		tell(metrics.Sample{Name: name, Help: help, Kind: metrics.Counter, Value: float64(n), Labels: append([]metrics.Label{at}, labels...)})
	}
	counter("edgeftp_quic_handshakes_begun_total", "Handshakes of QUIC that have begun; those that came to no end are what completed ones are short of.", st.Handshakes+st.Failed)
	counter("edgeftp_quic_handshakes_total", "Handshakes of QUIC that were completed.", st.Handshakes)
	counter("edgeftp_quic_retries_total", "Datagrams whose senders had to show first that they are where they say.", st.Retries)
	for why, n := range st.Refused {
		counter("edgeftp_quic_refused_total", "Connections and streams of QUIC that were refused, by the reason.", n, metrics.Label{Name: "reason", Value: string(why)})
	}
}

// tellLimits tells the limits on rates that are in force, but for users' own: their names
// are nobody's business here. What is not limited is left out.
func tellLimits(tell func(metrics.Sample), b *edge.BandwidthStatus) {
	limit := func(level, name string, r edge.Rates) {
		for direction, n := range map[string]int64{"down": r.Down, "up": r.Up} {
			if n > 0 {
				tell(metrics.Sample{Name: "edgeftp_bandwidth_limit_bytes_per_second", Help: "Limits on rates that are in force. Nothing is limited that is not here, but by a user's own limit.", Value: float64(n),
					Labels: []metrics.Label{{Name: "level", Value: level}, {Name: "name", Value: name}, {Name: "direction", Value: direction}}})
			}
		}
	}
	limit("server", "", b.Server)
	limit("user_default", "", b.User)
	limit("session_default", "", b.Session)
	for _, l := range b.Listeners {
		limit("listener", l.Name, l.Rates)
	}
}

// tellLatency tells how long the calls of one hook took. Only a sample is timed, and of
// that to the next power of two; the sum is what it would be with each in the middle.
func (t teller) tellLatency(hook metrics.Label, latency *[32]uint64) {
	s := metrics.Sample{Name: "edgeftp_policy_call_duration_seconds", Kind: metrics.Histogram, Labels: append(t.own[:len(t.own):len(t.own)], hook),
		Help: "How long calls took: of one in 64, to the next power of two, from which the sum is estimated."}
	s.Count, s.Sum, s.Buckets = powers(latency[:])
	t.tell(s)
}

// powers makes a histogram of what was counted to the next power of two. Its sum is what it would
// be with each in the middle.
func powers(counts []uint64) (count uint64, sum float64, buckets []metrics.Bucket) {
	const first, step, last = 4, 2, 28 // 1 microsecond to 17 seconds
	for i, n := range counts {
		count += n
		sum += float64(n) * bucketBound(i).Seconds() * 3 / 4
		if i >= first && i <= last && (i-first)%step == 0 {
			buckets = append(buckets, metrics.Bucket{UpTo: bucketBound(i).Seconds(), Count: count})
		}
	}
	return count, sum, buckets
}
