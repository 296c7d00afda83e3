package main

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/identity"
)

// leastRoom is how many bytes the disk of the state directory has to have free: with less
// nothing can be relied on to be remembered.
const leastRoom = 4 << 20

// readiness looks at everything that clients need.
func (in *generation) readiness() control.Readiness {
	st := in.modules.Status()
	return control.ReadinessOf([]control.Component{in.serving(&st), in.bound(), in.certified(time.Now()), in.rooted(), in.remembered(), in.decided(st.Policies), spared(&st.Budget), in.audited(), in.notified(time.Now())})
}

// component is one that is well, unless something is said of it.
func component(name, state string, why []string) control.Component {
	if len(why) == 0 {
		return control.Component{Name: name, State: control.ComponentOK}
	}
	return control.Component{Name: name, State: state, Detail: strings.Join(why, "; ")}
}

func (in *generation) serving(st *control.Status) control.Component {
	var why []string
	if st.Draining {
		why = append(why, "the server is draining: nobody new is served")
	} else if in.server.Held() {
		why = append(why, fmt.Sprintf("the operator has the server drain: nobody new is served, and %d sessions are left", st.Sessions))
	}
	return component("serving", control.ComponentFailed, why)
}

// audited looks whether what operators do is written down. Clients do not depend on it.
func (in *generation) audited() control.Component {
	var why []string
	if err := in.house.audit.Ready(); err != nil {
		why = append(why, oneLine(err.Error()))
	}
	return component("audit", control.ComponentDegraded, why)
}

// unheard is how long a receiver may take nothing until that is worth a word.
const unheard = 5 * time.Minute

// notified looks whether those who are to be told of events are. Clients do not depend on it.
func (in *generation) notified(now time.Time) control.Component {
	var why []string
	for _, h := range in.hooks() {
		st := h.policy.Status()
		if since := cmp.Or(st.Success, in.since); st.Error != "" && h.events.Waiting > 0 && now.Sub(since) > unheard {
			why = append(why, fmt.Sprintf("%d events wait for the webhook %s: %s", h.events.Waiting, h.conf.Name, oneLine(st.Error)))
		}
	}
	return component("webhooks", control.ComponentDegraded, why)
}

// bound looks whether every address has its listener.
func (in *generation) bound() control.Component {
	want := 0
	for i := range in.conf.Listeners {
		want += len(in.conf.Listeners[i].Addresses)
	}
	var why []string
	if got := len(in.server.Addresses()); got < want {
		why = append(why, fmt.Sprintf("%d of %d addresses are bound", got, want))
	}
	return component("listeners", control.ComponentFailed, why)
}

// certified looks whether the listeners with TLS have certificates that are valid.
func (in *generation) certified(now time.Time) control.Component {
	var failed, degraded []string
	for _, s := range in.certs.sources {
		if m, ok := s.(*acme.Manager); ok && !m.Ready() {
			failed = append(failed, "there is no certificate yet")
		}
	}
	valid := 0
	list := in.certs.list()
	for i := range list {
		why := certificateFault(&list[i], now)
		if why == "" {
			valid++
			continue
		}
		degraded = append(degraded, why)
	}
	switch {
	case len(failed) == 0 && len(list) > 0 && valid == 0:
		failed = degraded
		fallthrough
	case len(failed) > 0:
		return component("certificates", control.ComponentFailed, failed)
	}
	return component("certificates", control.ComponentDegraded, degraded)
}

// certificateFault says what is wrong with a certificate, if anything is.
func certificateFault(c *acme.Certificate, now time.Time) string {
	switch {
	case c.NotAfter.IsZero():
		return oneLine(c.Name) + " has no certificate"
	case now.After(c.NotAfter):
		return oneLine(c.Name) + " has expired"
	case now.Before(c.NotBefore):
		return oneLine(c.Name) + " is not valid yet"
	}
	return ""
}

// rooted looks whether the state can be kept.
func (in *generation) rooted() control.Component {
	dir := in.conf.Instance.StateDir
	var why []string
	if !identity.MayWrite(dir) {
		why = append(why, "the state directory cannot be written to")
	}
	if room, err := diskRoom(dir); err == nil && room.free < leastRoom {
		why = append(why, fmt.Sprintf("the disk of the state directory has %d KiB free", room.free>>10))
	}
	return component("state", control.ComponentFailed, why)
}

// remembered looks whether what policies remember is written.
func (in *generation) remembered() control.Component {
	var why []string
	if kv := in.store.Stats(); kv.Failing {
		why = append(why, fmt.Sprintf("%d keys are not on disk: %s", kv.Unwritten, oneLine(kv.LastError.Error())))
	}
	return component("kv", control.ComponentDegraded, why)
}

// decided looks whether every policy of the configuration is there and is asked.
func (in *generation) decided(now []control.Policy) control.Component {
	open := map[string]bool{}
	there := map[string]bool{}
	for i := range now {
		there[now[i].Name], open[now[i].Name] = true, now[i].Breaker.Open
	}
	var why []string
	for i := range in.conf.Policies.Modules {
		switch name := in.conf.Policies.Modules[i].Name; {
		case !there[name]:
			why = append(why, "the policy "+name+" is missing")
		case open[name]:
			why = append(why, "the policy "+name+" only fails, and refuses everything")
		}
	}
	return component("policies", control.ComponentFailed, why)
}

// spared looks whether there is memory for new connections.
func spared(b *control.Budget) control.Component {
	var why []string
	if b.MemoryFull {
		why = append(why, "the memory budget is full: new connections are turned away")
	}
	return component("memory", control.ComponentDegraded, why)
}

// probes answer the probes of an orchestrator, with nothing but whether all is well: the
// details are for the admin API.
func (in *generation) probes(mux *http.ServeMux) {
	for path, well := range map[string]func() bool{"/healthz": func() bool { return true }, "/readyz": func() bool { return in.now.Load().readiness().Ready }} {
		if path == in.conf.Metrics.Path {
			continue
		}
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			if !well() {
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = io.WriteString(w, "not ready\n")
				return
			}
			_, _ = io.WriteString(w, "ok\n")
		})
	}
}
