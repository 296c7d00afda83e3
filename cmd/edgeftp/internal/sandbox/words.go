package sandbox

import (
	"fmt"
	"strings"
)

// String is the ports as people write them.
func (b Ports) String() string {
	switch {
	case b.First == 0 && b.Last == 0:
		return "of the kernel's choice"
	case b.First == b.Last:
		return fmt.Sprint(b.First)
	}
	return fmt.Sprintf("%d-%d", b.First, b.Last)
}

// networkText says what the rules allow.
func networkText(p *Plan) string {
	var bind []string
	for _, b := range p.Bind {
		bind = append(bind, b.String())
	}
	text := "no TCP port can be bound"
	if len(bind) > 0 {
		text = "TCP ports that can be bound: " + strings.Join(bind, ", ")
	}
	switch {
	case len(p.Connect) == 0 && len(p.ConnectTo) == 0:
		return text + "; no TCP connection can be made"
	case len(p.Connect) == 0:
		var to []string
		for _, b := range p.ConnectTo {
			to = append(to, fmt.Sprintf("%v (%s)", b, b.Why))
		}
		return text + "; TCP connections can be made to the ports " + strings.Join(to, ", ")
	}
	return text + "; TCP connections can be made, for " + strings.Join(p.Connect, ", ")
}

func processesText(p *Plan, abi int) string {
	text := "signals and abstract sockets do not reach other processes"
	if p.Children {
		text = "abstract sockets do not reach other processes; signals do, to end those that this one has started"
	}
	if abi >= abiSockets {
		text += ", nor do sockets that are files"
	}
	return text
}
