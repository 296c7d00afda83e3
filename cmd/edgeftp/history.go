package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

// Configurations are kept with what they may hold in secrets, for the server's user alone.
const (
	historyKept    = 20
	historyChanged = 50 // keys of one
	historyMost    = 1 << 52
	historyIndex   = "index.json"
)

// history keeps the texts of the last configurations in a directory of the state: each in
// a file of its own, and what is known of them in an index. Numbers count on from start to
// start.
type history struct {
	dir string

	mu   sync.Mutex
	list []past // the oldest first
}

// past is one configuration. One by flags has no text.
type past struct {
	Number  uint64    `json:"generation"`
	Since   time.Time `json:"since"`
	By      string    `json:"by"`
	SHA256  string    `json:"sha256"`
	Changed []string  `json:"changed"`
}

// openHistory reads the index. One that is damaged is put aside, and the history begins
// anew.
func openHistory(dir string) (*history, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the configurations of earlier cannot be kept: %w", err)
	}
	h := &history{dir: dir}
	text, err := os.ReadFile(filepath.Join(dir, historyIndex))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return h, nil
	case err != nil:
		return nil, fmt.Errorf("the configurations of earlier cannot be read: %w", err)
	}
	if err := json.Unmarshal(text, &h.list); err != nil || !h.rising() {
		h.list = nil
		if err := os.Rename(filepath.Join(dir, historyIndex), filepath.Join(dir, historyIndex+".damaged")); err != nil {
			return nil, fmt.Errorf("the configurations of earlier cannot be read: %w", err)
		}
	}
	return h, nil
}

// rising reports whether the numbers do.
func (h *history) rising() bool {
	last := uint64(0)
	for _, p := range h.list {
		if p.Number <= last || p.Number > historyMost {
			return false
		}
		last = p.Number
	}
	return true
}

// add keeps a configuration that is in force now, and returns its number: that of the last
// one, if it is the same text, else a greater one than after and any before.
func (h *history) add(text []byte, by string, changed []string, at time.Time, after uint64) (uint64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := past{Number: after + 1, Since: at.UTC().Truncate(time.Second), By: by, Changed: changed[:min(len(changed), historyChanged)]}
	sum := sha256.Sum256(text)
	p.SHA256 = hex.EncodeToString(sum[:])
	if n := len(h.list); n > 0 && h.list[n-1].Number < historyMost {
		last := &h.list[n-1]
		if last.SHA256 == p.SHA256 && h.holds(last.Number, text) {
			return last.Number, nil
		}
		p.Number = max(last.Number, after) + 1
	}
	if err := h.write(h.file(p.Number), text); err != nil {
		return p.Number, err
	}
	next := append(h.list[:len(h.list):len(h.list)], p)
	if p.Number == 1 { // also where the last one has the greatest number
		next = next[len(next)-1:]
	}
	var gone []past
	if n := len(next) - historyKept; n > 0 {
		gone, next = next[:n], next[n:]
	}
	index, err := json.MarshalIndent(next, "", " ")
	if err == nil {
		err = h.write(filepath.Join(h.dir, historyIndex), index)
	}
	if err != nil {
		return p.Number, errors.Join(err, os.Remove(h.file(p.Number)))
	}
	h.list = next
	for _, p := range gone {
		_ = os.Remove(h.file(p.Number)) // nobody knows it any more
	}
	return p.Number, nil
}

// holds reports whether the file of a number has the text.
func (h *history) holds(number uint64, text []byte) bool {
	b, err := os.ReadFile(h.file(number))
	return err == nil && bytes.Equal(b, text)
}

func (h *history) file(number uint64) string {
	return filepath.Join(h.dir, strconv.FormatUint(number, 10)+".yaml")
}

// write puts a file in its place, whole or not at all.
func (h *history) write(path string, b []byte) error {
	tmp, err := beside(path, b, 0o600)
	if err == nil {
		if err = os.Rename(tmp, path); err != nil {
			err = errors.Join(err, os.Remove(tmp))
		}
	}
	return err
}

// entries lists them, the newest first.
func (h *history) entries(current uint64) []control.ConfigEntry {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []control.ConfigEntry
	for i := len(h.list) - 1; i >= 0; i-- {
		p := h.list[i]
		out = append(out, control.ConfigEntry{Generation: p.Number, Since: p.Since, By: p.By, SHA256: p.SHA256, Changed: append([]string{}, p.Changed...),
			Current: p.Number == current})
	}
	return out
}

// text returns what a configuration was, and its number: of 0 that before current.
func (h *history) text(number, current uint64) ([]byte, uint64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := len(h.list) - 1; i >= 0; i-- {
		p := h.list[i]
		if p.Number != number && (number != 0 || p.Number >= current) {
			continue
		}
		b, err := os.ReadFile(h.file(p.Number))
		if sum := sha256.Sum256(b); err == nil && hex.EncodeToString(sum[:]) != p.SHA256 {
			err = fmt.Errorf("%s is not what was kept", h.file(p.Number))
		}
		return b, p.Number, err
	}
	if len(h.list) == 0 {
		return nil, 0, &control.Refusal{Code: control.CodeConfigNone, Message: "no configuration was kept: the server was started by flags",
			Help: "edgeftp serve --print-config with the same flags writes a file; start the server with --config"}
	}
	return nil, 0, &control.Refusal{Code: control.CodeConfigNone, Message: "there is no such configuration any more",
		Help: "edgeftp config history lists those that were kept"}
}
