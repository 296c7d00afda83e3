//go:build !wasip1

package metric

import "github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"

func send(name string, kind int32, v int64) {
	if w := guest.Found(); w != nil {
		w.Metric(name, kind, v)
	}
}
