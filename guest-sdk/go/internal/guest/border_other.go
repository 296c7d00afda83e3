//go:build !wasip1

package guest

import (
	"context"
	"log/slog"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Log writes the line to the program's own log: there is no host.
func Log(level int32, msg string) {
	l := slog.LevelInfo
	switch level {
	case abi.LogDebug:
		l = slog.LevelDebug
	case abi.LogWarn:
		l = slog.LevelWarn
	case abi.LogError:
		l = slog.LevelError
	}
	slog.Log(context.Background(), l, msg)
}
