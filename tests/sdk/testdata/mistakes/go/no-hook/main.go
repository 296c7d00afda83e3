package main

import edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"

func init() {
	edgeftp.Configure(func([]byte) error { return nil })
}

func main() {}
