package main

import (
	"context"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/backup"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
)

// backups writes archives of a running server.
type backups struct{ in *instance }

// databases are those of the state directory that this server has open. Whoever adds one
// adds it here: an archive is refused while there is one that nobody can copy.
func (in *instance) databases() []backup.Database {
	return []backup.Database{{Name: "state.db", Copy: in.store.Snapshot}}
}

// Backup implements control.Backuper.
func (b backups) Backup(ctx context.Context, w io.Writer) error {
	now := b.in.now.Load()
	s := backupSource(now.conf, now.text)
	s.Databases = b.in.databases()
	head := b.in.house.audit.Head()
	s.Audit = &backup.AuditHead{Seq: head.Seq, Hash: head.Hash}
	return backup.Write(ctx, w, s)
}

// backupSource is what an archive of a configuration holds, less its databases.
func backupSource(conf *config.Config, file *config.Source) *backup.Source {
	state := conf.Instance.StateDir
	s := &backup.Source{Head: backup.Head{Version: version(), Time: time.Now(), Instance: conf.Instance.Name}, State: state,
		Config: map[string][]byte{}, Skip: func(path string) bool {
			return slices.Contains([]string{conf.Socket, conf.Events, conf.AccessLog.File, conf.Audit.File}, path)
		}}
	if file != nil {
		s.Config[filepath.Base(file.Path)] = file.Text
	}
	if conf.ACME != nil && !below(state, conf.ACME.Storage) {
		s.Certificates = conf.ACME.Storage
	}
	outside := func(path string) {
		if path != "" && !below(state, path) && !slices.Contains(s.Outside, path) {
			s.Outside = append(s.Outside, path)
		}
	}
	for _, c := range conf.Certificates {
		outside(c.Cert)
		outside(c.Key)
	}
	for i := range conf.Policies.Modules {
		outside(conf.Policies.Modules[i].Source)
	}
	if t := conf.Admin.TCP; t != nil {
		outside(t.Cert)
		outside(t.Key)
		outside(t.ClientCA)
	}
	return s
}
