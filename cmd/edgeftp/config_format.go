package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
)

// maxConfig is the longest configuration file.
const maxConfig = 1 << 20

// formatCommand is config fmt.
func formatCommand() *cobra.Command {
	var write, check bool
	cmd := &cobra.Command{Use: "fmt [--write | --check] FILE", Short: "Lay out a configuration file", Args: cobra.ExactArgs(1),
		Long: "Prints the file with its keys in the order of the reference and with one layout. Comments and ${...} stay; what the file says does\n" +
			"not change. --write replaces the file if it looked otherwise, as a whole; --check only tells, by exit code 5, that it would."}
	cmd.Flags().BoolVarP(&write, "write", "w", false, "write the result to the file")
	cmd.Flags().BoolVar(&check, "check", false, "print nothing; exit with 5 if the file is not laid out so")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if write && check {
			return exitWith(exitUsage, errors.New("--write and --check exclude each other"))
		}
		old, err := os.ReadFile(args[0])
		if err == nil && len(old) > maxConfig {
			err = fmt.Errorf("%s is longer than a configuration can be", args[0])
		}
		if err != nil {
			return exitWith(exitConfig, fmt.Errorf("the configuration file cannot be read: %w", err))
		}
		text, err := config.Format(args[0], old)
		switch {
		case err != nil:
			return exitWith(exitConfig, err)
		case check && !bytes.Equal(old, text):
			return exitWith(exitChecks, fmt.Errorf("%s is not laid out\n   = help: edgeftp config fmt --write %s", args[0], args[0]))
		case check, write && bytes.Equal(old, text):
			return nil
		case write:
			return exitWith(exitFailed, rewrite(args[0], text))
		}
		_, err = cmd.OutOrStdout().Write(text)
		return exitWith(exitFailed, err)
	}
	return cmd
}

// rewrite replaces a file as a whole. Its mode stays; a link stays one.
func rewrite(path string, text []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	tmp, err := beside(path, text, 0o600)
	if err != nil {
		return err
	}
	err = os.Chmod(tmp, info.Mode()&fs.ModePerm)
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return nil
}
