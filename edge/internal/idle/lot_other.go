//go:build !linux

package idle

import (
	"errors"
	"syscall"
	"time"
)

// Lot is where connections are parked, which is not possible here.
type Lot struct{}

// New returns errors.ErrUnsupported.
func New(Config) (*Lot, error) { return nil, errors.ErrUnsupported }

// Park returns errors.ErrUnsupported.
func (l *Lot) Park(syscall.Conn, uint64, time.Time) error { return errors.ErrUnsupported }

// Wake has nothing to hand back.
func (l *Lot) Wake(uint64) {}

// Stop has nothing to hand back.
func (l *Lot) Stop() {}

// Close has nothing to end.
func (l *Lot) Close() {}

// Len is 0.
func (l *Lot) Len() int { return 0 }
