package delivery_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/delivery"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// What may be read over FTP may be read over HTTP: the same users, policies and paths.
func ExampleNew() {
	files := vfs.NewMem()
	stage, _ := files.Stage("/hello.txt", vfs.StageOptions{})
	_, _ = io.WriteString(stage, "hello\n")
	_ = stage.Commit(context.Background())

	srv, err := edge.New(edge.Config{FS: files, Listeners: []edge.Listener{{Name: "web"}},
		Policies: []edge.Slot{{Name: "keeper", Policy: &keeper{}}}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	h, err := delivery.New(srv, delivery.Config{Listener: "web", Anonymous: "anonymous"})
	if err != nil {
		fmt.Println(err)
		return
	}
	web := httptest.NewUnstartedServer(nil)
	web.Config = h.Server()
	web.Start()
	resp, err := web.Client().Get(web.URL + "/hello.txt")
	if err != nil {
		fmt.Println(err)
		return
	}
	text, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	fmt.Print(resp.Status, ", ", resp.Header.Get("Content-Type"), ": ", string(text))
	web.Client().CloseIdleConnections()
	web.Close()
	_ = srv.Shutdown(context.Background())
	// Output: 200 OK, text/plain; charset=utf-8: hello
}
