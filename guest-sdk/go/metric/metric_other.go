//go:build !wasip1

package metric

func send(string, int32, int64) {}
