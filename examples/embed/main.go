// Embed is a program with an FTP server in it, and a policy module in the server:
//
//	go run ./examples/embed examples/files examples/wasm/readonly/wat/readonly.wasm 127.0.0.1:2121
package main

import (
	"context"
	"log"
	"os"
	"os/signal"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/policies/anonymous"
	"github.com/edgeftp/edgeftp/wasmhost"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	disk := must(vfs.OpenDisk(vfs.DiskConfig{Root: os.Args[1]}))
	host := must(wasmhost.New(ctx, wasmhost.Config{}))
	guard := must(host.Load(ctx, "guard", must(os.ReadFile(os.Args[2])), wasmhost.LoadOptions{}))
	srv := must(edge.New(edge.Config{
		FS:        disk,
		Listeners: []edge.Listener{{Address: os.Args[3]}},
		Policies: []edge.Slot{{Name: "guard", Policy: guard}, {Name: "anonymous", Policy: must(anonymous.New(
			anonymous.Config{Perms: policy.PermAll, AllowWrite: true}))}}}))
	must(0, srv.Listen(ctx))
	log.Println("serving", srv.Addresses()[0])
	must(0, srv.Serve(ctx))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
