package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
)

const (
	warnEvery = 5 * time.Second // how often it is looked whether there is something to warn of
	diskEvery = 30 * time.Second
)

// warnings tell the operator what he has to do something about, and what only the machine
// knows: by the log and by an event. The zero value has seen nothing.
type warnings struct {
	disks   disks
	ports   ports
	dropped map[string]uint64 // events that found no room, by webhook
	looked  time.Time         // at the disks
}

// warns looks until ctx ends.
func (in *instance) warns(ctx context.Context) {
	tick := time.NewTicker(warnEvery)
	defer tick.Stop()
	w := &warnings{}
	for {
		in.guard(func() { in.now.Load().lookAround(w, time.Now()) })
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// lookAround looks once.
func (in *generation) lookAround(w *warnings, now time.Time) {
	if now.Sub(w.looked) >= diskEvery {
		w.looked = now
		in.warnDisks(&w.disks)
	}
	for _, r := range w.ports.look(in.server.Counts(), now) {
		in.warnPorts(r)
	}
	in.warnDropped(w)
}

func (in *generation) warnDisks(d *disks) {
	low, ok := d.look(diskDirs(in.conf), in.conf.Notify.DiskFreeBelow, diskRoom)
	for _, at := range low {
		in.log.Warn("a disk has little room", "event", policy.EventDiskLow.String(), "path", at.dir, "bytes_free", at.room.free, "bytes_size", at.room.size,
			"help", "make room, or have it grow: uploads end with 452 when it is full; notify.disk_free_below says when this is told")
		in.server.Tell(policy.Event{Kind: policy.EventDiskLow, Text: oneLine(at.String())})
	}
	for _, at := range ok {
		in.log.Info("a disk has room again", "event", policy.EventDiskOK.String(), "path", at.dir, "bytes_free", at.room.free, "bytes_size", at.room.size)
		in.server.Tell(policy.Event{Kind: policy.EventDiskOK, Text: oneLine(at.String())})
	}
}

// diskDirs are the directories whose disks are watched: the state directory, and what is
// served.
func diskDirs(conf *config.Config) []string {
	dirs := append(conf.Own(), conf.Roots()...)
	for _, all := range conf.Every() {
		const mark = "\x01"
		root, err := all.Defaults.RootOf(mark)
		if before, _, varies := strings.Cut(root, mark); err == nil && varies {
			dirs = append(dirs, filepath.Dir(before+"x"))
		}
	}
	return dirs
}

func (in *generation) warnPorts(r refused) {
	const help = "widen listeners[].passive.ports, here and in the firewall"
	in.log.Warn("no passive port was free", "event", policy.EventNoPassivePort.String(), "listener", r.listener, "clients", r.clients, "help", help)
	in.server.Tell(policy.Event{Kind: policy.EventNoPassivePort, Text: fmt.Sprintf("listener %s: no passive port was free, clients that were answered 425: %d; %s", r.listener, r.clients, help)})
}

// warnDropped tells of events for which a webhook's files had no room.
func (in *generation) warnDropped(w *warnings) {
	before := w.dropped
	w.dropped = map[string]uint64{}
	for _, h := range in.hooks() {
		n := h.events.Gone + h.events.Dropped
		w.dropped[h.conf.Name] = n
		if was, known := before[h.conf.Name]; known && n > was {
			in.hookGaveUp(h.conf.Name, n-was, "there was no room for them, as the receiver took none for long")
		}
	}
}

// hookGaveUp tells that events for a webhook were given up.
func (in *instance) hookGaveUp(name string, n uint64, why string) {
	in.log.Warn("events for a webhook were given up", "event", policy.EventWebhookFailed.String(), "webhook", name, "events", n, "error", why,
		"help", "edgeftp notify list shows what waits, edgeftp notify test "+name+" tries the receiver")
	if server := in.told.Load(); server != nil {
		server.Tell(policy.Event{Kind: policy.EventWebhookFailed, Policy: hookSlot + name, Text: oneLine(fmt.Sprintf("%s: %d events were given up: %s", name, n, why))})
	}
}

// certificateEnding tells observers of a certificate that is near its end; the log has it
// already.
func (in *instance) certificateEnding(e acme.CertEvent) {
	in.server.Tell(policy.Event{Kind: policy.EventCertExpiring, Text: e.String()})
}

// diskAt is a directory, and the room of its disk.
type diskAt struct {
	dir  string
	room room
}

// String is it in a line.
func (d diskAt) String() string {
	return fmt.Sprintf("the disk of %s has %d MiB of %d MiB free (%.1f%%)", d.dir, d.room.free>>20, d.room.size>>20, 100*d.room.share())
}

// share is the part of a disk that is free; of a disk that says nothing about itself all
// of it is.
func (r *room) share() float64 {
	if r.size == 0 {
		return 1
	}
	return float64(r.free) / float64(r.size)
}

// disks remember which of them have little room, by their first directory. The zero value
// knows of none.
type disks struct{ low map[string]diskAt }

// maxDisks bounds how many directories are looked at.
const maxDisks = 256

// look asks for the room of each disk and returns those that came below a share, in
// percent, and those that have room again: a quarter more. Each is told once.
func (d *disks) look(dirs []string, below float64, ask func(string) (room, error)) (low, ok []diskAt) {
	now, seen := map[string]diskAt{}, map[uint64]bool{}
	for _, dir := range dirs[:min(len(dirs), maxDisks)] {
		r, err := ask(dir)
		if dir == "" || err != nil || seen[r.device] {
			continue // one that cannot be asked is told of by what needs it
		}
		seen[r.device] = true
		key := fmt.Sprint(r.device)
		at, was := diskAt{dir, r}, false
		if _, was = d.low[key]; was && r.share()*100 < below*1.25 {
			now[key] = at
			continue
		}
		switch {
		case was:
			ok = append(ok, at)
		case r.share()*100 < below:
			now[key] = at
			low = append(low, at)
		}
	}
	d.low = now
	return low, ok
}

// refused are clients that got no passive port since it was told last.
type refused struct {
	listener string
	clients  uint64
}

// ports remember how many clients of each listener got none. The zero value knows of none.
type ports struct{ of map[string]portsTold }

type portsTold struct {
	seen, told uint64
	at         time.Time
}

// portsEvery is how often it is told of one listener.
const portsEvery = 10 * time.Minute

// look returns what is to be told: the first client at once, and those after him every ten
// minutes.
func (p *ports) look(all []edge.ListenerCounts, now time.Time) (list []refused) {
	of := map[string]portsTold{}
	for i := range all {
		name, n := all[i].Name, all[i].Data.NoPort
		t := p.of[name]
		if n < t.seen { // it is another listener of that name
			t = portsTold{}
		}
		t.seen = n
		if n > t.told && (t.at.IsZero() || now.Sub(t.at) >= portsEvery) {
			list = append(list, refused{name, n - t.told})
			t.told, t.at = n, now
		}
		of[name] = t
	}
	p.of = of
	return list
}
