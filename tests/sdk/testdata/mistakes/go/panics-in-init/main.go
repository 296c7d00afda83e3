package main

import "github.com/edgeftp/edgeftp/guest-sdk/go/fs"

func init() { fs.Export(nil) }

func main() {}
