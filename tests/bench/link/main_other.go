//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "link: the emulated link needs Linux")
	os.Exit(1)
}
