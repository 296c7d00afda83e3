package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

// lookAgain is how often a server that is not ready is asked again.
const lookAgain = 250 * time.Millisecond

// ready tells whether clients are served as they should be, and waits for that. A server
// that does not answer yet is waited for, too.
func (a *admin) ready(cmd *cobra.Command, wait string) error {
	if err := a.form(); err != nil {
		return err
	}
	var long time.Duration
	if wait != "" {
		var err error
		if long, err = config.ParseDuration(wait); err != nil {
			return exitWith(exitUsage, fmt.Errorf("--wait: %w", err))
		}
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), long+adminTime)
	defer cancel()
	every := time.NewTicker(lookAgain)
	defer every.Stop()
	late := time.After(long)
	for {
		r, err := a.client().Readiness(ctx)
		if err == nil && r.Ready {
			return a.tellReady(cmd, r)
		}
		select {
		case <-every.C:
			continue
		case <-ctx.Done():
		case <-late:
		}
		if err != nil {
			return told(err)
		}
		return errors.Join(a.tellReady(cmd, r), exitWith(exitChecks, errors.New("the server answers, and is not ready\n   = help: --wait 2m waits for what comes by itself, such as certificates; its log says more")))
	}
}

func (a *admin) tellReady(cmd *cobra.Command, r control.Readiness) error {
	return a.show(cmd, r, func(w io.Writer) error {
		for _, c := range r.Components {
			text := strings.TrimRight(fmt.Sprintf("%-9s %-13s %s", c.State, c.Name, oneLine(c.Detail)), " ")
			if _, err := fmt.Fprintln(w, text); err != nil {
				return err
			}
		}
		return nil
	})
}
