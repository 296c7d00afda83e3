package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// beside writes a file next to path under a name of its own, whole and on the
// disk, and returns that name.
func beside(path string, b []byte, mode fs.FileMode) (string, error) {
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()[:8])
	err := create(name, b, mode)
	var told *fs.PathError
	if errors.As(err, &told) { // its path is of no use to anybody
		err = fmt.Errorf("%s cannot be written: %w", path, told.Err)
	}
	return name, err
}

// create writes a file that is not there yet, whole or not at all.
func create(path string, b []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// replace puts a file in the place of path, as a whole or not at all.
func replace(path string, b []byte) error {
	tmp, err := beside(path, b, 0o644)
	if err == nil {
		if err = os.Rename(tmp, path); err != nil {
			err = errors.Join(err, os.Remove(tmp))
		}
	}
	return err
}

// placeModule writes a module and its signature beside it, the signature first:
// who watches the directory is to find both. If it fails all is as before.
func placeModule(path string, module, signature []byte) error {
	return placeModuleBy(os.Rename, path, module, signature)
}

// placeModuleBy is placeModule with its last step, which seldom fails.
func placeModuleBy(rename func(from, to string) error, path string, module, signature []byte) error {
	sealed := path + trust.SignatureSuffix
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is there, and is no file; nothing was written", path)
	}
	before, err := readSignature(sealed, false)
	if err != nil {
		return err
	}
	if before != nil && len(signature) == 0 {
		return fmt.Errorf("%s is there, and the new module has no signature; nothing was written\n   = help: remove it, or give another name with -o", sealed)
	}
	if len(signature) == 0 {
		return replace(path, module)
	}
	tmp, err := beside(path, module, 0o644)
	if err != nil {
		return err
	}
	err = replace(sealed, signature)
	if err == nil {
		if err = rename(tmp, path); err == nil {
			return nil
		}
		if before != nil {
			err = errors.Join(err, replace(sealed, before))
		} else {
			err = errors.Join(err, os.Remove(sealed))
		}
	}
	return errors.Join(err, os.Remove(tmp))
}
