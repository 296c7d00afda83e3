package defender

import (
	"net/netip"
	"time"
)

// Report returns what another Defender learns by Learn: the latest ban of a host by its score. It is
// nil of who is not known. Its form is that of Snapshot.
func (d *Defender) Report(now time.Time, who netip.Prefix) []byte {
	k, ok := keyOf(who)
	if !ok {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	h := d.hosts.find(k)
	if h == nil {
		return nil
	}
	return sealed(h.append(blob(now), k, d.tick(now), d.conf.Within))
}

// Learn takes over the bans by score that another Defender has reported, or that a Snapshot of it
// holds, and returns those that are news. One that ends before the ban that is known is
// not; nor is one for which there is no room. No ban lasts longer than Config.MostBan from now.
// An error is ErrDamaged, and nothing is taken over.
func (d *Defender) Learn(report []byte, now time.Time) (news []Ban, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	told, err := d.parse(report, now)
	if err != nil {
		return nil, err
	}
	at := d.tick(now)
	told.hosts.each(pinned, func(k key, h *host) bool {
		if !h.banned || at >= h.until {
			return true
		}
		if own := d.host(k, at); own != nil && own.learn(h, at) {
			d.hosts.settle(k, at)
			news = append(news, d.banOf(now, at, k, own))
		}
		return true
	})
	return news, nil
}

// learn takes a ban over, and reports whether there was none that holds as long. When somebody has
// logged in from there is not another's to tell.
func (h *host) learn(of *host, at time.Duration) bool {
	if h.banned && at < h.until && h.until >= of.until {
		return false
	}
	h.since, h.until, h.banned = of.since, of.until, true
	h.times, h.score, h.why = max(h.times, of.times), of.score, of.why
	h.points = window{}
	return true
}
