//go:build !unix

package vfs_test

import (
	"errors"
	"testing"
)

func makeFIFO(t *testing.T, _ string) {
	t.Helper()
	t.Fatal("there are no named pipes here")
}

func makeDevice(string) error { return errors.ErrUnsupported }
