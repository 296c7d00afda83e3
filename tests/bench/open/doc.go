// Package open measures whether openat2(2) would pay in the place of os.Root:
//
//	go test -run '^$' -bench . -benchtime 5000x ./tests/bench/open
//
// It is asked again where a new Go or a new kernel may have changed the answer.
package open
