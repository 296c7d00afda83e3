package main

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/sandbox"
	"github.com/edgeftp/edgeftp/edge/dtp"
)

// shut shuts the process off from what it does not need from now on: everything is
// opened and bound, and nobody has been let in yet.
func (in *generation) shut() (err error) {
	plan := sandbox.PlanFor(in.conf)
	plan.Children = in.builder != nil
	for _, s := range in.ephemeral.Ports() {
		plan.Choose(s.First, s.Last)
	}
	for _, root := range append(in.accounts.roots(), in.accounts.folderRoots()...) {
		plan.Serve(root)
	}
	for _, b := range in.benches {
		for _, dir := range b.dirs {
			plan.Watch(dir, "source of a policy, which is watched")
		}
	}
	rereads(plan, in.conf, in.text)
	if in.sandbox, err = sandbox.Close(plan, confinement(in.conf)); err != nil {
		return exitWith(exitFailed, err)
	}
	in.trees.within = in.sandbox
	for _, l := range in.sandbox.Lacking() {
		in.log.Warn("sandbox: "+l.Name+" "+l.State, "reason", l.Text, "help", l.Help)
	}
	for _, text := range in.sandbox.Rules.Left {
		in.log.Info("sandbox: no rule", "for", text)
	}
	return nil
}

// rereads allows what a reload reads: the file of the configuration and those that it names.
// A server that was started by flags (nil) reads none again.
func rereads(plan *sandbox.Plan, conf *config.Config, source *config.Source) {
	if source == nil {
		return
	}
	plan.Watch(source.Path, "the configuration, which is read again (reload)")
	for _, f := range source.Files {
		if filepath.IsAbs(f) {
			plan.Watch(f, "what the configuration has in a file (${file:}), which is read again (reload)")
		}
	}
	for _, c := range conf.Certificates {
		plan.Watch(c.Cert, "a certificate, which is read again (reload)")
		plan.Watch(c.Key, "a key, which is read again (reload)")
	}
	for i := range conf.Listeners {
		if ca := conf.Listeners[i].TLS.ClientCA; ca != "" {
			plan.Watch(ca, "authorities of client certificates, which are read again (reload)")
		}
	}
	for i := range conf.Policies.Modules {
		if m := &conf.Policies.Modules[i]; !isDir(m.Source) {
			plan.Watch(m.Source, "a policy module, which is read again (reload)")
			plan.Watch(m.SignatureFile(), "the signature of a policy module (reload)")
		}
	}
}

// confinedPorts is how many of the system's own ports a confined server opens for data
// connections. Each is a rule of Landlock, of which every thread has its own: these cost
// 10 ms of the start, all 28,000 would 100. It is 12 bits of a port that is to be
// guessed; the kernel, which prefers every second port of the lower half, has less than 13.
const confinedPorts = 4096

// findPorts finds what the passive ports are of where a listener has no range.
func (in *generation) findPorts() {
	in.ephemeral = dtp.ReadEphemeral()
	if in.conf.Sandbox.Landlock != string(sandbox.Off) {
		in.ephemeral = in.ephemeral.Part(confinedPorts)
	}
}

// confinement is what the configuration wants of the sandbox.
func confinement(conf *config.Config) sandbox.Options {
	return sandbox.Options{Landlock: sandbox.Mode(conf.Sandbox.Landlock), Seccomp: conf.Sandbox.Seccomp}
}

// outside tells of a file of a certificate that cannot be read because the sandbox does
// not let it be.
func (in *instance) outside(err error) {
	var file *acme.FileError
	if errors.As(err, &file) && errors.Is(in.sandbox.Explain(file.File, file), sandbox.ErrOutside) {
		in.log.Warn("a certificate's file lies outside of the sandbox, whose rules were fixed at the start", "file", file.File,
			"help", "restart the server, or put the file where the one before it lay")
	}
}

// beyond tells what helps where a folder of a policy's source cannot be looked at any
// more, or not yet, because of the sandbox: its rules are of what was there at the start.
func (in *instance) beyond(_ string, err error) string {
	if !errors.Is(err, fs.ErrPermission) || !in.sandbox.Guards() {
		return ""
	}
	return "restart the server: its sandbox lets it read the folders alone that the source was in at the start; what is saved there is not seen until then"
}
