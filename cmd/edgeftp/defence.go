package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/policies/metrics"
)

// defence turns the configuration into edge's.
func (in *generation) defence() edge.Defence {
	conf := in.conf
	d := &conf.Defender
	return edge.Defence{Banned: in.house.predecessor.banned,
		Off: !d.Enabled, Allow: d.Allow, Deny: d.Deny, Score: d.Score, Within: d.Within, Ban: d.Ban, MostBan: d.Longest,
		Memory: defenceFile(filepath.Join(conf.Instance.StateDir, "defender"))}
}

// defenceFile is where the defender's memory is kept. It implements
// edge.DefenceMemory.
type defenceFile string

// Load implements edge.DefenceMemory.
func (f defenceFile) Load() ([]byte, error) {
	file, err := os.Open(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(file, maxDefence+1)) // with one byte too many it is damaged
	return b, errors.Join(err, file.Close())
}

// maxDefence is how much a defence remembers at most, see edge.DefenceMemory.
const maxDefence = 1 << 20

// Save implements edge.DefenceMemory. A server that is killed, or a machine whose power
// is cut, leaves the old memory or the new one.
func (f defenceFile) Save(b []byte) error {
	if err := os.Remove(string(f) + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	tmp, err := os.OpenFile(string(f)+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // no link is followed
	if err != nil {
		return err
	}
	_, err = tmp.Write(b)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), string(f))
}

// warden implements control.Defender.
type warden struct {
	server *edge.Server
	score  func() int // that bans
}

func (in *instance) warden() warden {
	return warden{in.server, func() int { return in.now.Load().conf.Defender.Score }}
}

// Defence implements control.Defender.
func (w warden) Defence() control.Defence {
	st := w.server.Defence()
	d := control.Defence{Enabled: !st.Off, Score: w.score(), Known: st.Addresses + st.Networks + st.Users,
		Banned: st.Banned, TurnedAway: st.TurnedAway, Denied: st.Denied, Waited: st.Waited, Refused: st.Refused, Unrecorded: st.Unrecorded}
	for _, b := range w.server.Bans() {
		d.Bans = append(d.Bans, banOf(b))
	}
	for _, s := range st.Highest {
		d.Watched = append(d.Watched, control.Watched{Who: s.Who.String(), Kind: "address", Points: s.Points, Why: s.Why})
	}
	for _, s := range st.Slowed {
		d.Slowed = append(d.Slowed, control.Watched{Who: s.Who.String(), Kind: "network", Failed: s.Failed})
	}
	for _, s := range st.Guessed {
		d.Slowed = append(d.Slowed, control.Watched{Who: s.User, Kind: "user", Failed: s.Failed})
	}
	return d
}

// Ban implements control.Defender.
func (w warden) Ban(b control.NewBan) (control.Ban, error) {
	if b.Who.Bits() == 0 || b.Who.Addr().Is4In6() && b.Who.Bits() <= 96 { // the IPv4 addresses as IPv6 has them
		return control.Ban{}, &control.Refusal{Code: control.CodeBanRefused, Message: b.Who.String() + " is everybody", Help: "stop the server, or name a network"}
	}
	made, err := w.server.Ban(b.Who, b.For, b.Why)
	if err != nil {
		return control.Ban{}, &control.Refusal{Code: control.CodeBanRefused, Message: strings.TrimPrefix(err.Error(), "edge: "), Help: "edgeftp ban shows what holds; defender in the configuration says whom it leaves alone"}
	}
	out := banOf(made)
	if b.Kick {
		out.Kicked = w.server.KickNetwork(b.Who, b.Why)
	}
	return out, nil
}

// banOf tells of a ban.
func banOf(b edge.Ban) control.Ban {
	return control.Ban{Who: b.Who, Since: b.Since, Until: b.Until, Why: b.Why, Times: b.Times, By: b.By}
}

// Unban implements control.Defender.
func (w warden) Unban(who netip.Prefix) error {
	if !w.server.Unban(who) {
		return &control.Refusal{Code: control.CodeNotBanned, Message: fmt.Sprintf("%s is not banned", who), Help: "edgeftp ban list shows who is; name the network as it stands there"}
	}
	return nil
}

// tellDefence tells the defender's figures, which name nobody.
func tellDefence(tell func(metrics.Sample), st edge.DefenceStatus) {
	if st.Off {
		return
	}
	for _, f := range []struct {
		kind       metrics.Kind
		name, help string
		value      float64
	}{
		{metrics.Gauge, "bans", "Bans that hold.", float64(st.Bans)},
		{metrics.Gauge, "defender_known", "Addresses, networks and users that the defender remembers.", float64(st.Addresses + st.Networks + st.Users)},
		{metrics.Gauge, "defender_held", "Failed logins whose answer is being delayed beyond the usual.", float64(st.Held)},
		{metrics.Counter, "bans_by_points_total", "Bans by points.", float64(st.Banned)},
		{metrics.Counter, "turned_away_total", "Connections and logins of who was banned.", float64(st.TurnedAway)},
		{metrics.Counter, "denied_total", "Connections from networks that are denied.", float64(st.Denied)},
		{metrics.Counter, "logins_waited_total", "Logins that had to wait for their turn.", float64(st.Waited)},
		{metrics.Counter, "logins_refused_total", "Logins that were refused while too many waited.", float64(st.Refused)},
		{metrics.Counter, "offences_unrecorded_total", "Offences for which there was no room.", float64(st.Unrecorded)},
	} {
		tell(metrics.Sample{Name: "edgeftp_" + f.name, Help: f.help, Kind: f.kind, Value: f.value})
	}
}
