package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge/policy"
)

func notifyCommand() *cobra.Command {
	a := new(admin)
	list := func(cmd *cobra.Command, _ []string) error {
		return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return c.Webhooks(ctx) },
			func(w io.Writer, got any) { printWebhooks(w, got.([]control.Webhook), time.Now()) })
	}
	cmd := &cobra.Command{Use: "notify", Short: "Show and try whom a running server tells of events", Args: cobra.NoArgs, RunE: list}
	a.flags(cmd)
	cmd.AddCommand(&cobra.Command{Use: "list", Short: "Show the webhooks, what waits for them, and what went wrong last", Args: cobra.NoArgs, RunE: list}, a.tryCommand())
	return cmd
}

// tryCommand is edgeftp notify test.
func (a *admin) tryCommand() *cobra.Command {
	return &cobra.Command{Use: "test [NAME]", Short: "Send a test event to the webhooks, or to one, and say what came of it", Args: cobra.MaximumNArgs(1),
		Long: "Has the server send the event notify_test to each webhook of the configuration, or to the one of a name, at once and past the\n" +
			"events that wait. It is sent once and not repeated. Where a receiver does not take it, the command says why and exits with 5.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.form(); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), control.MaxTrial+adminTime)
			defer cancel()
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			trials, err := a.client().TryWebhooks(ctx, name)
			if err != nil {
				return told(err)
			}
			if err := a.show(cmd, trials, func(w io.Writer) error { printTrials(w, trials); return nil }); err != nil {
				return err
			}
			if bad := slices.DeleteFunc(slices.Clone(trials), func(t control.WebhookTrial) bool { return t.OK }); len(bad) > 0 {
				return exitWith(exitChecks, fmt.Errorf("%d of %d webhooks did not take the event\n   = help: %s", len(bad), len(trials), bad[0].Help))
			}
			return nil
		}}
}

func printWebhooks(w io.Writer, list []control.Webhook, now time.Time) {
	if len(list) == 0 {
		fmt.Fprintln(w, "There are no webhooks: events.sinks and notify.to of the configuration have none.")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "WEBHOOK\tTO\tSIGNED\tEVENTS\tWAITING\tDELIVERED\tGIVEN UP\tDROPPED\tLAST SUCCESS")
	for i := range list {
		h := &list[i]
		signed, last := "no", "-"
		if h.Signed {
			signed = "yes"
		}
		if !h.Success.IsZero() {
			last = now.Sub(h.Success).Round(time.Second).String() + " ago"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\n", oneLine(h.Name), oneLine(h.Origin), signed, len(h.On), h.Waiting, h.Delivered, h.GivenUp, h.Dropped, last)
	}
	t.Flush()
	for i := range list {
		h := &list[i]
		if h.Error == "" {
			continue
		}
		next := ""
		if h.Next.After(now) {
			next = "; the next attempt is in " + h.Next.Sub(now).Round(time.Second).String()
		}
		fmt.Fprintf(w, "%s: %s%s\n", oneLine(h.Name), oneLine(h.Error), next)
	}
}

func printTrials(w io.Writer, list []control.WebhookTrial) {
	if len(list) == 0 {
		fmt.Fprintln(w, "There are no webhooks: events.sinks and notify.to of the configuration have none.")
		return
	}
	for i := range list {
		t := &list[i]
		took := (time.Duration(t.Seconds * float64(time.Second))).Round(time.Millisecond)
		if !t.OK {
			fmt.Fprintf(w, "%s  %s  FAILED after %v: %s\n   = help: %s\n", oneLine(t.Name), oneLine(t.Origin), took, oneLine(t.Error), oneLine(t.Help))
			continue
		}
		check := "it is not signed: the receiver cannot know from whom it is"
		if t.Signed {
			check = "the receiver is to check Edgeftp-Signature"
		}
		fmt.Fprintf(w, "%s  %s  ok, %d in %v  id %s; %s\n", oneLine(t.Name), oneLine(t.Origin), t.Status, took, oneLine(t.ID), check)
	}
}

// Webhooks implements control.Notifier.
func (c controller) Webhooks() (list []control.Webhook) {
	for _, h := range c.in.now.Load().hooks() {
		st := h.policy.Status()
		list = append(list, control.Webhook{Name: h.conf.Name, Origin: h.policy.Origin(), Signed: h.conf.Secret.Value() != "", On: h.conf.On,
			Waiting: h.events.Waiting + uint64(h.events.Queued), Delivered: st.Delivered, GivenUp: st.GivenUp, Dropped: h.events.Gone + h.events.Dropped, Failed: st.Failed,
			Success: st.Success.UTC().Truncate(time.Millisecond), Failure: st.Failure.UTC().Truncate(time.Millisecond), Error: st.Error, Next: st.Next.UTC().Truncate(time.Millisecond)})
	}
	return list
}

// TryWebhooks implements control.Notifier.
func (c controller) TryWebhooks(ctx context.Context, name string) ([]control.WebhookTrial, error) {
	var names []string
	hooks := slices.DeleteFunc(c.in.now.Load().hooks(), func(h hook) bool {
		names = append(names, h.conf.Name)
		return name != "" && h.conf.Name != name
	})
	if name != "" && len(hooks) == 0 {
		help := "the configuration has none: events.sinks and notify.to"
		if len(names) > 0 {
			help = "there are " + strings.Join(names, ", ")
		}
		return nil, &control.Refusal{Code: control.CodeNoWebhook, Message: fmt.Sprintf("no webhook is named %q", name), Help: help}
	}
	e := &policy.Event{Meta: policy.Meta{Session: &policy.Session{}, Time: time.Now()}, Kind: policy.EventNotifyTest, Text: "edgeftp notify test: nothing has happened"}
	out := make([]control.WebhookTrial, len(hooks))
	var all sync.WaitGroup
	for i, h := range hooks {
		all.Go(func() { c.in.guard(func() { out[i] = h.try(ctx, e) }) })
	}
	all.Wait()
	return out, nil
}

// try sends one event to a webhook.
func (h *hook) try(ctx context.Context, e *policy.Event) control.WebhookTrial {
	got := h.policy.Try(ctx, e)
	t := control.WebhookTrial{Name: h.conf.Name, Origin: h.policy.Origin(), ID: got.ID, Signed: got.Signed, OK: got.Err == nil, Status: got.Status, Seconds: got.Took.Seconds()}
	if got.Err != nil {
		t.Error, t.Help = got.Err.Error(), trialHelp(got.Status)
	}
	return t
}

// trialHelp is what to do about an answer, 0 for none.
func trialHelp(status int) string {
	switch {
	case status == 0:
		return "look whether the receiver runs, and can be reached from this machine; edgeftp config show has where its URL comes from"
	case status < 400:
		return "name the URL that the receiver redirects to"
	case status == 401 || status == 403:
		return "look at secret and headers of the webhook, and at what the receiver expects: the signature is over Edgeftp-Timestamp, a dot and the body"
	case status == 404 || status == 405 || status == 410:
		return "look at the path of the URL: the receiver has nothing there that takes a POST"
	case status < 500 && status != 408 && status != 425 && status != 429:
		return "the receiver refuses the request for good; its own log says why"
	}
	return "the receiver cannot take it now; events wait for it, and are sent again"
}
