package e2e

import (
	"context"
	"net/http"
	"path/filepath"
	"testing"
)

// A successor has the port of HTTP without a gap, and that of QUIC after a moment; what runs
// over TCP goes on to its end.
func TestDeliveryUpgrade(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	want := noiseFile(t, p.in("big"), 3*mib)
	s := delivering(t, p, "bandwidth: { transfer_default: { down: 1MB } }\n")
	url := "https://" + s.at(t, atWeb).addr + "/big"
	three := s.browsers(t)["h3"]
	if got := ask(t, three, url, "Range: bytes=0-0"); got.StatusCode != 206 {
		t.Errorf("%s", got.Status)
	}
	res := must(s.browsers(t)["h2"].Get(url))(t)
	next := p.upgraded(t, filepath.Join(p.out("edgeftp.yaml")))
	next.plain = false
	if got := ask(t, next.browsers(t)["h2"], url, "Range: bytes=0-0"); got.StatusCode != 206 {
		t.Errorf("the successor: %s", got.Status)
	}
	until(t, "the successor answers over QUIC", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience()/4)
		defer cancel()
		r := must(http.NewRequestWithContext(ctx, http.MethodGet, url, nil))(t)
		r.Header.Set("Range", "bytes=0-0")
		res, err := next.browsers(t)["h3"].Do(r)
		if err == nil {
			res.Body.Close()
		}
		return err == nil && res.StatusCode == 206
	})
	if got := sum(t, res.Body); got != want {
		t.Error("the download is not what the file is")
	}
	res.Body.Close()
	if code := s.wait(t, stopWithin); code != 0 {
		t.Errorf("the server before has ended with %d", code)
	}
	next.stop(t)
}
