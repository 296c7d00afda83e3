package conformance

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// flood carries out the steps that send much.
func (c *client) flood(word string, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s needs a number", word)
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	switch args = args[1:]; word {
	case "long":
		return c.long(n, strings.Join(args, ""))
	case "pipeline":
		return c.pipeline(n, args)
	}
	return c.pipelined(n, args)
}

// long sends one line of n bytes, its end not counted, whose last bytes are
// tail.
func (c *client) long(n int, tail string) error {
	head := "NOOP "
	if n < len(head)+len(tail) {
		return errors.New("that is not long")
	}
	line := head + strings.Repeat("x", n-len(head)-len(tail)) + tail
	return c.Send(line)
}

// pipeline sends the commands n times over without reading. It goes on beside
// the steps that follow, which read.
func (c *client) pipeline(n int, lines []string) error {
	text := strings.Repeat(strings.Join(lines, "\r\n")+"\r\n", n)
	c.sent = make(chan error, 1)
	go func() {
		_, err := c.Raw().Write([]byte(text))
		c.sent <- err
	}()
	return nil
}

// pipelined reads replies with these codes n times over.
func (c *client) pipelined(n int, wanted []string) error {
	for i := range n {
		for _, w := range wanted {
			r, err := c.Reply()
			if err != nil {
				return fmt.Errorf("round %d: %w", i, err)
			}
			if fmt.Sprint(r.Code) != w {
				return fmt.Errorf("round %d: the reply is %q instead of %s", i, r, w)
			}
		}
	}
	return <-c.sent
}

// moved asks for the transfer's state until so many bytes have been moved.
func (c *client) moved(ctx context.Context, n string) error {
	ctx, cancel := until(ctx)
	defer cancel()
	for ctx.Err() == nil {
		r, err := c.Must("STAT", 211)
		if err != nil || strings.Contains(r.String(), ": "+n+" bytes in ") {
			return err
		}
	}
	return ctx.Err()
}
