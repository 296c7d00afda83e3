package config

import (
	"net/netip"
	"time"
)

// Defender is what slows down and bans those who guess and misbehave.
type Defender struct {
	Enabled     bool
	Allow, Deny []netip.Prefix // the narrower one decides; of equal ones Deny
	Score       int            // points that ban an address
	Within      time.Duration  // how long points count
	Ban         time.Duration  // the first one of an address
	Longest     time.Duration  // no ban is longer
}

type fileDefender struct {
	Enabled bool     `json:"enabled"`
	Allow   []string `json:"allow"`
	Deny    []string `json:"deny"`
	Score   int      `json:"score"`
	Within  string   `json:"within"`
	Ban     string   `json:"ban"`
	Longest string   `json:"longest"`
}

func (c *checker) defender(f *fileDefender) Defender {
	d := Defender{Enabled: f.Enabled, Allow: networks(f.Allow), Deny: networks(f.Deny), Score: f.Score,
		Within: duration(f.Within), Ban: duration(f.Ban), Longest: duration(f.Longest)}
	if d.Longest < d.Ban {
		c.at([]string{"defender", "longest"}, "it is shorter than the first ban, "+f.Ban, "make it as long, or longer")
	}
	return d
}

// networks reads what the schema has checked.
func networks(list []string) (out []netip.Prefix) {
	for _, s := range list {
		if p, err := parseNetwork(s); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// networkWords are networks as a file has them.
func networkWords(list []netip.Prefix) []string {
	out := []string{}
	for _, p := range list {
		out = append(out, p.String())
	}
	return out
}

func (d *Defender) file() fileDefender {
	return fileDefender{Enabled: d.Enabled, Allow: networkWords(d.Allow), Deny: networkWords(d.Deny), Score: d.Score,
		Within: formatDuration(d.Within), Ban: formatDuration(d.Ban), Longest: formatDuration(d.Longest)}
}
