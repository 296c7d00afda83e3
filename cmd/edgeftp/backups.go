package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/backup"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/userdb"
)

// backups writes archives of a running server.
type backups struct{ in *instance }

// databases are those of the state directory that this server has open. Whoever adds one
// adds it here: an archive is refused while there is one that nobody can copy.
func (in *instance) databases() []backup.Database {
	all := []backup.Database{{Name: "state.db", Copy: in.store.Snapshot}}
	conf := in.now.Load().conf
	switch db := in.accounts.db; {
	case db != nil:
		all = append(all, storedUsers(conf, db))
	case fileThere(conf.UserStore()): // it is no source of users at present
		all = append(all, backup.Database{Name: filepath.Base(conf.UserStore()), Copy: func(ctx context.Context, w io.Writer) error {
			return copyUsers(ctx, conf, w)
		}})
	}
	return all
}

// storedUsers is the store of users as a database of an archive.
func storedUsers(conf *config.Config, db *userdb.DB) backup.Database {
	return backup.Database{Name: filepath.Base(conf.UserStore()), Copy: func(_ context.Context, w io.Writer) error {
		_, err := db.Snapshot(w)
		return err
	}}
}

// copyUsers copies a store of users that nobody has open.
func copyUsers(ctx context.Context, conf *config.Config, w io.Writer) error {
	db, err := userdb.Open(conf.UserStore(), storeWait)
	if err != nil {
		return err
	}
	return errors.Join(storedUsers(conf, db).Copy(ctx, w), db.Close())
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

// fileThere reports whether there is something of that name.
func fileThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
