package main

import (
	"path/filepath"
	"slices"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/identity"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// warnUnwritable tells of directories that the server's user may not write to. Who
// uploads, or turns logs over, would find that out otherwise, and far from its reason.
func (in *generation) warnUnwritable() {
	for _, root := range writtenRoots(in.conf) {
		if !identity.MayWrite(root) {
			in.log.Warn("users may upload to "+root+", but the user that runs the server may not write there: uploads get 550",
				"help", "give the directory to that user (chown), or give its users permissions that only read")
		}
	}
	for _, file := range []string{in.conf.Log.File, in.conf.Events, in.conf.AccessLog.File} {
		if dir := filepath.Dir(file); file != "" && !identity.MayWrite(dir) {
			in.log.Warn("the log "+file+" cannot be begun anew when it is moved away: the user that runs the server may not write to "+dir,
				"help", "put it into a directory of that user, or have logrotate copy and cut it (copytruncate)")
		}
	}
}

// writtenRoots are the trees that users of the configuration may change. Those of
// users.defaults.root may come later, and are not looked at.
func writtenRoots(conf *config.Config) []string {
	var roots []string
	add := func(root string, perms policy.Perms) {
		if root == "" && conf.Defaults.Root == "" {
			root = conf.Root
		}
		if root != "" && perms&^policy.PermReadOnly != 0 && !slices.Contains(roots, root) {
			roots = append(roots, root)
		}
	}
	for _, conf = range conf.Every() {
		for i := range conf.Users {
			add(conf.Users[i].Root, conf.Users[i].Perms)
		}
		if conf.Anonymous.Enabled {
			add(conf.Anonymous.Root, conf.Anonymous.Perms)
		}
	}
	return roots
}
