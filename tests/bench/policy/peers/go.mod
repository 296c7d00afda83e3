// Peers is a module of its own, so that what it compares with is no dependency of
// edgeftp. Its path lies below edge because the chain, which it measures too, may be
// imported from there alone; nothing is ever fetched by that name.
module github.com/edgeftp/edgeftp/edge/peers

go 1.26.5

require (
	github.com/edgeftp/edgeftp v0.0.0
	github.com/extism/go-sdk v1.7.1
	github.com/tetratelabs/wazero v1.12.0
)

require (
	github.com/dylibso/observe-sdk/go v0.0.0-20240819160327-2d926c5d788a // indirect
	github.com/gobwas/glob v0.2.3 // indirect
	github.com/ianlancetaylor/demangle v0.0.0-20240805132620-81f5be970eca // indirect
	github.com/tetratelabs/wabin v0.0.0-20230304001439-f6f874872834 // indirect
	go.opentelemetry.io/proto/otlp v1.3.1 // indirect
	golang.org/x/sys v0.49.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace github.com/edgeftp/edgeftp => ../../../..
