package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
)

// full is a disk that may have no room.
type full struct {
	bytes.Buffer
	is bool
}

func (f *full) Write(b []byte) (int, error) {
	if f.is {
		return 0, errors.New("no space left on device")
	}
	return f.Buffer.Write(b)
}

// A log that finds no room loses lines and says how many; who logs never waits or fails.
func TestLogLosesLines(t *testing.T) {
	for format, want := range map[string]string{"json": `"msg":"lines of a log were lost","log":"server","file":"","lines":3}`, "human": `WARN  lines of a log were lost log=server lines=3`} {
		var disk full
		conf := config.Log{Format: format, Level: "info"}
		out := newOutput(conf, &disk)
		log, _ := logger(conf, nil, out)
		log.Info("one")
		disk.is = true
		for range 3 {
			log.Info("lost")
		}
		disk.is = false
		log.Info("two")
		log.Info("three")
		lines := strings.Split(strings.TrimSpace(disk.String()), "\n")
		if len(lines) != 4 || !strings.HasSuffix(lines[1], want) || !strings.Contains(lines[2], "two") || out.Lost() != 3 {
			t.Errorf("%s: %d lost:\n%s", format, out.Lost(), &disk)
		}
	}
}

// The log goes on in its file, which may be moved away; a successor of a log has its
// losses too.
func TestLogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	conf := config.Log{Format: "json", Level: "info", File: path}
	var before bytes.Buffer
	out := newOutput(conf, &before)
	log, _ := logger(conf, nil, out)
	in := &instance{log: log}
	in.log.Info("early")
	if err := in.begin(out); err != nil {
		t.Fatal(err)
	}
	in.log.Info("one")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if got := in.reopenLogs(); len(got) != 1 || got[0].Name != "server" || got[0].File != path || got[0].Error != "" {
		t.Errorf("%+v", got)
	}
	in.log.Info("two")
	for file, want := range map[string]string{path: "two", path + ".1": "one"} {
		if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), `"msg":"`+want+`"`) {
			t.Errorf("%s: %v %s", file, err, text)
		}
	}
	if !strings.Contains(before.String(), "early") || strings.Contains(before.String(), "one") {
		t.Errorf("before the file: %s", &before)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := in.reopenLogs(); got[0].Error == "" {
		t.Error("a directory was opened as a log")
	}
	in.log.Info("three")
	out.lost = 7
	in.logs.add("server", path, newOutput(conf, io.Discard), nil)
	if got := in.logs.status(false); len(got) != 1 || got[0].Lost != 7 {
		t.Errorf("a successor has lost %+v", got)
	}
	var exit *exitError
	if err := (&instance{}).begin(newOutput(config.Log{File: filepath.Join(path, "no", "log")}, &before)); !errors.As(err, &exit) || exit.code != exitConfig || !strings.Contains(err.Error(), "= help:") {
		t.Errorf("a file in no directory: %v", err)
	}
}

// Whatever a value or a message holds, it is one line of its log, steers no terminal, and
// JSON has it back.
func TestLogIsHarmless(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"\x1b[2J", "\n", "\r", "\x00", "\x7f", "\u009b31m", "\u202e", "\u2066", "\u2028", "\u200f", "\U000e0001", "\xff", "é", "\"", "\\", " = ", "key=value", "\t", "😀"}
	for range 3000 {
		var text strings.Builder
		for range r.IntN(8) {
			if r.IntN(3) == 0 {
				text.WriteByte(byte(r.IntN(256)))
			} else {
				text.WriteString(pieces[r.IntN(len(pieces))])
			}
		}
		value := text.String()
		for _, format := range []string{"json", "human"} {
			var out bytes.Buffer
			log, _ := logger(config.Log{Format: format, Level: "info"}, nil, &out)
			log.With("user", value).Info(value, slog.String("path", value), "error", errors.New(value))
			line, ended := strings.CutSuffix(out.String(), "\n")
			if !ended || !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("%s of %q: %q", format, value, out.String())
			}
			if format == "human" {
				continue
			}
			var back struct{ Msg, User, Path, Error string }
			if err := json.Unmarshal([]byte(line), &back); err != nil || utf8.ValidString(value) && (back.Msg != value || back.User != value || back.Path != value || back.Error != value) {
				t.Fatalf("%q comes back as %+v, %v", value, back, err)
			}
		}
	}
}
