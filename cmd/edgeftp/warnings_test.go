package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
)

// A disk is told of once when it has little room, and once when it has more again; what
// goes up and down about the line is not told each time.
func TestDisks(t *testing.T) {
	free := map[string]uint64{"/a": 50, "/b": 50}
	ask := func(dir string) (room, error) {
		switch dir {
		case "/gone":
			return room{}, errors.New("it is not there")
		case "/a", "/a/sub":
			return room{free: free["/a"], size: 100, device: 1}, nil
		case "/none":
			return room{device: 3}, nil // as of /proc
		}
		return room{free: free["/b"], size: 100, device: 2}, nil
	}
	var d disks
	var told []string
	look := func(below float64) string {
		told = nil
		low, ok := d.look([]string{"/gone", "/a", "/a/sub", "", "/b", "/none"}, below, ask)
		for _, at := range low {
			told = append(told, "low "+at.dir)
		}
		for _, at := range ok {
			told = append(told, "ok "+at.dir)
		}
		return strings.Join(told, ", ")
	}
	for i, step := range []struct {
		a, b  uint64
		below float64
		want  string
	}{
		{50, 50, 5, ""}, {4, 50, 5, "low /a"}, {3, 50, 5, ""}, {5, 50, 5, ""}, {6, 4, 5, "low /b"}, {7, 4, 5, "ok /a"}, {5, 4, 5, ""}, {4, 50, 5, "low /a, ok /b"},
		{4, 50, 0, "ok /a"}, {0, 0, 0, ""},
	} {
		free["/a"], free["/b"] = step.a, step.b
		if got := look(step.below); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
	if text := (diskAt{"/a", room{free: 3 << 30, size: 100 << 30}}).String(); text != "the disk of /a has 3072 MiB of 102400 MiB free (3.0%)" {
		t.Error(text)
	}
}

// The directories whose disks are watched are those that the server writes to.
func TestDiskDirs(t *testing.T) {
	conf := &config.Config{Root: "/srv/shared", Instance: config.Instance{StateDir: "/var/lib/edgeftp"}, Users: []config.User{{Name: "a", Root: "/home/a"}},
		Defaults: config.Defaults{Root: "/srv/users/${user}"}}
	dirs := diskDirs(conf)
	for _, want := range []string{"/var/lib/edgeftp", "/srv/shared", "/home/a", "/srv/users"} {
		if !slices.Contains(dirs, want) {
			t.Errorf("%s is not among %v", want, dirs)
		}
	}
}

// The first client without a passive port is told of at once, those after him together.
func TestPorts(t *testing.T) {
	var p ports
	now := time.Unix(1_800_000_000, 0)
	look := func(counts ...uint64) (told string) {
		var all []edge.ListenerCounts
		for i, n := range counts {
			all = append(all, edge.ListenerCounts{Name: fmt.Sprint(i), Data: dtp.TallyStatus{NoPort: n}})
		}
		for _, r := range p.look(all, now) {
			told += fmt.Sprintf("%s:%d ", r.listener, r.clients)
		}
		return told
	}
	for i, step := range []struct {
		after time.Duration
		a, b  uint64
		want  string
	}{{0, 0, 0, ""}, {0, 1, 0, "0:1 "}, {time.Minute, 5, 2, "1:2 "}, {5 * time.Minute, 9, 2, ""}, {5 * time.Minute, 9, 2, "0:8 "}, {time.Hour, 9, 2, ""}, {0, 1, 2, "0:1 "}} {
		now = now.Add(step.after)
		if got := look(step.a, step.b); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
}
