package main

import (
	"strconv"
	"sync"

	"github.com/edgeftp/edgeftp/policies/metrics"
)

// tellDisks tells how much room there is where the server keeps its state, and where the
// files of storage are.
func (in *generation) tellDisks(tell func(metrics.Sample)) {
	for of, dir := range map[string]string{"state": in.conf.Instance.StateDir, "storage": in.conf.Root} {
		room, err := diskRoom(dir)
		if err != nil {
			continue // a figure that is not there is told by its absence
		}
		of := []metrics.Label{{Name: "of", Value: of}}
		for _, f := range []struct {
			name, help string
			value      uint64
		}{
			{"disk_free_bytes", "Bytes that the server's user may still write, in the state directory and in the root of storage.", room.free},
			{"disk_size_bytes", "Bytes that the disk has.", room.size},
			{"disk_files_free", "Files that can still be made; 0 with no limit.", room.filesFree},
		} {
			tell(metrics.Sample{Name: "edgeftp_" + f.name, Help: f.help, Value: float64(f.value), Labels: of})
		}
	}
}

// room is what a disk has. device tells it from others.
type room struct{ free, size, filesFree, device uint64 }

// requests counts those of the admin API. The zero value has counted none.
type requests struct {
	mu     sync.Mutex
	counts map[request]uint64
}

type request struct {
	route string // as the API names it, such as "GET /v1/status"
	code  int
}

// count counts one. Routes are those that the server has, so there are few.
func (r *requests) count(route string, code int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[request]uint64{}
	}
	r.counts[request{route, code}]++
}

func (r *requests) tell(tell func(metrics.Sample)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for is, n := range r.counts {
		tell(metrics.Sample{Name: "edgeftp_admin_requests_total", Help: "Requests to the admin API.", Kind: metrics.Counter, Value: float64(n),
			Labels: []metrics.Label{{Name: "route", Value: is.route}, {Name: "code", Value: strconv.Itoa(is.code)}}})
	}
}
