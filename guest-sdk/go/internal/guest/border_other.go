//go:build !wasip1

package guest

import (
	"context"
	"log/slog"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// caught lets a panic go on: there is a debugger, or a test.
func caught() {}

// refuse panics with the place of the call and the text.
func refuse(text string) { panic(At(text)) }

// Log hands the line to the world of the test, else to the program's own log.
func Log(level int32, msg string) {
	if w := Found(); w != nil {
		w.Log(level, msg)
		return
	}
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
