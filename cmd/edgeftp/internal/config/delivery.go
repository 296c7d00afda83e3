package config

import (
	"fmt"
	"slices"
	"time"

	"github.com/edgeftp/edgeftp/edge/delivery"
)

// Delivery is what a listener of HTTP hands out, and to whom.
type Delivery struct {
	Anonymous    string // whom requests without credentials are logged in as; empty: they are refused
	Basic        bool   // take passwords over TLS
	BasicInClear bool   // and without
	Cache        []delivery.Rule
	Attachments  []string
	HSTS         time.Duration // 0 says nothing
}

type fileDelivery struct {
	Anonymous    string          `json:"anonymous,omitempty"`
	Basic        bool            `json:"basic"`
	BasicInClear bool            `json:"basic_in_clear"`
	Cache        []fileCacheRule `json:"cache"`
	Attachments  []string        `json:"attachments"`
	HSTS         textOrNumber    `json:"hsts"`
}

type fileCacheRule struct {
	Match  string `json:"match"`
	Header string `json:"header"`
}

// pattern is what names files by their names or their paths.
func pattern(s string) error {
	if !delivery.ValidPattern(s) {
		return fault{"is no pattern of files", "write it like *.iso, /pub/*.html, or /pub/** for all below a directory"}
	}
	return nil
}

// headerField is what a field of HTTP may hold.
func headerField(s string) error {
	if !delivery.ValidField(s) {
		return fault{"cannot be a field of HTTP", "write printable ASCII, such as public, max-age=3600"}
	}
	return nil
}

// delivery checks what a listener of HTTP says of itself.
func (c *checker) delivery(l *fileListener, listener []string) *Delivery {
	if l.Protocol != ProtocolHTTP {
		return nil
	}
	at := sub(listener, "delivery")
	d := &Delivery{Anonymous: l.Delivery.Anonymous, Basic: l.Delivery.Basic, BasicInClear: l.Delivery.BasicInClear,
		Attachments: slices.Clone(plainStrings(l.Delivery.Attachments)), HSTS: l.Delivery.HSTS.duration()}
	for _, r := range l.Delivery.Cache {
		d.Cache = append(d.Cache, delivery.Rule{Pattern: r.Match, Header: r.Header})
	}
	switch {
	case d.BasicInClear && !d.Basic:
		c.at(sub(at, "basic_in_clear"), "without basic no password is taken at all", "let basic be true, or remove this")
	case d.Anonymous != "" && headerField(d.Anonymous) != nil:
		c.at(sub(at, "anonymous"), fmt.Sprintf("%q cannot be the user of requests without a password", d.Anonymous), "name a user of printable ASCII, such as anonymous")
	case d.Anonymous == "" && !d.Basic:
		c.key(sub(at, "basic"), "nobody could be let in: requests without a password are refused, and so are those with one", "let basic be true, or name a user for requests without a password in anonymous")
	}
	return d
}

func (d *Delivery) file() fileDelivery {
	f := fileDelivery{Anonymous: d.Anonymous, Basic: d.Basic, BasicInClear: d.BasicInClear, Attachments: orEmpty(d.Attachments), HSTS: written(d.HSTS), Cache: []fileCacheRule{}}
	for _, r := range d.Cache {
		f.Cache = append(f.Cache, fileCacheRule{Match: r.Pattern, Header: r.Header})
	}
	return f
}
