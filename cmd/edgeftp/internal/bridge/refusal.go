package bridge

import (
	"errors"
	"fmt"
	"strings"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
	"github.com/edgeftp/edgeftp/edge/quicnet"
)

// refusedWith is why a transfer has failed that the server has not taken: what it says, and how
// it has ended the stream if that came in time.
func refusedWith(err error, p *part) error {
	says := strings.TrimSpace(string(p.text))
	if ended, ok := errors.AsType[*quicnet.Error](err); ok {
		return fmt.Errorf("%s (%w)", says, ended)
	}
	return errors.New(says)
}

// oneLine is an error for a place that has one line.
func oneLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return escape.Text(text)
}
