//go:build !linux

package dtp

import "errors"

func setCongestion(uintptr, string) error { return errors.ErrUnsupported }

func congestionOf(uintptr) string { return "" }

func knownAlgorithms() []string { return nil }

func freeAlgorithms() []string { return nil }
