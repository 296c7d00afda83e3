package antiflood

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// client is where somebody comes from.
type client struct {
	address netip.Prefix // one IPv4 address, or an IPv6 /64
	network netip.Prefix // the /24 or /48 around it
}

// clientOf tells where a connection comes from, false if that is no address.
func clientOf(peer netip.AddrPort) (client, bool) {
	addr := peer.Addr().Unmap().WithZone("")
	if !addr.IsValid() {
		return client{}, false
	}
	own, wide := 64, 48
	if addr.Is4() {
		own, wide = 32, 24
	}
	address, err := addr.Prefix(own)
	network, err2 := addr.Prefix(wide)
	return client{address, network}, err == nil && err2 == nil
}

func networkKey(c client) string { return "n/" + c.network.String() }

// userKey is of fixed length, whatever a stranger gave for a name.
func userKey(s *policy.Session) string {
	user := s.User
	if s.VHost != "" { // somebody else than that user of another host; no name of a client's holds a NUL
		user = s.VHost + "\x00" + user
	}
	sum := sha256.Sum256([]byte(user))
	return "u/" + hex.EncodeToString(sum[:16])
}

func banKey(who netip.Prefix) string { return "b/" + who.String() }

// number reads a counter of the KV, zero if it is none.
func number(b []byte) int64 {
	if len(b) != 8 {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(b))
}

func (p *Policy) banned(who netip.Prefix) bool {
	_, found := p.config.KV.Get(banKey(who))
	return found
}

// ban begins a ban. Of those that would begin it at one time one does.
func (p *Policy) ban(who netip.Prefix, now time.Time, why string) error {
	until := now.Add(p.config.Ban)
	value := binary.LittleEndian.AppendUint64(nil, uint64(until.Unix()))
	fresh, err := p.config.KV.CompareAndSwap(banKey(who), nil, value, p.config.Ban)
	if fresh && p.config.Banned != nil {
		p.config.Banned(who, until, why)
	}
	return err
}

// Command implements [policy.Commander]: it counts the commands of this second. It
// never fails; what cannot be counted passes.
func (p *Policy) Command(_ context.Context, c *policy.Command) (policy.Answer, error) {
	if c.Verb == "QUIT" || c.Verb == "ABOR" || c.Shadow {
		return policy.Answer{}, nil
	}
	worst := 0
	if c.Session.ID != 0 {
		worst = p.pace("s/"+strconv.FormatUint(c.Session.ID, 36), p.config.SessionCommands)
	}
	if from, known := clientOf(c.Session.Peer); known {
		here := p.pace("c/"+from.address.String(), p.config.AddressCommands)
		worst = max(worst, here)
		if here >= flood && p.config.FloodBan {
			_ = p.ban(from.address, c.Time, "a flood of commands") // where there is no room for it, 421 is all
		}
	}
	switch worst {
	case fine:
		return policy.Answer{}, nil
	case fast:
		return policy.Answer{Verdict: policy.Deny, Code: 450, Text: textFast}, nil
	}
	return policy.Answer{Verdict: policy.Deny, Code: 421, Text: textFlood}, nil
}

// How fast somebody is.
const (
	fine  = iota // within the limit
	fast         // beyond it
	flood        // beyond it by floodFactor
)

func (p *Policy) pace(key string, limit int) int {
	n, err := p.count(key, limit, commandWindow)
	switch {
	case limit < 0 || err != nil || n <= int64(limit):
		return fine
	case (n-1)/floodFactor < int64(limit):
		return fast
	}
	return flood
}
