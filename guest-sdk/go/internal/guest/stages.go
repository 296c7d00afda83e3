package guest

import (
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// stages are the registered stages that came with minor 2.
type stages struct {
	list     policy.Lister
	cmd      policy.Commander
	site     policy.SiteCommander
	throttle policy.Throttler
	data     policy.Filter
	cert     policy.Certifier
	carry    [policy.MaxCarry]byte
}

// SetList registers the stage list.
func (g *Guest) SetList(p policy.Lister) {
	if g.more.list != nil || p == nil {
		refuse("list.Export needs one policy, once")
	}
	g.more.list = p
	g.name(p)
}

// SetCmd registers the stage cmd.
func (g *Guest) SetCmd(p policy.Commander) {
	if g.more.cmd != nil || p == nil {
		refuse("cmd.Export needs one policy, once")
	}
	g.more.cmd = p
	g.name(p)
}

// SetSite registers the stage site.
func (g *Guest) SetSite(p policy.SiteCommander) {
	if g.more.site != nil || p == nil {
		refuse("site.Export needs one policy, once")
	}
	g.more.site = p
	g.name(p)
}

// SetThrottle registers the stage throttle.
func (g *Guest) SetThrottle(p policy.Throttler) {
	if g.more.throttle != nil || p == nil {
		refuse("throttle.Export needs one policy, once")
	}
	g.more.throttle = p
	g.name(p)
}

// SetData registers the stage data.
func (g *Guest) SetData(p policy.Filter) {
	if g.more.data != nil || p == nil {
		refuse("data.Export needs one policy, once")
	}
	g.more.data = p
	g.name(p)
}

// SetCert registers the stage cert.
func (g *Guest) SetCert(p policy.Certifier) {
	if g.more.cert != nil || p == nil {
		refuse("cert.Export needs one policy, once")
	}
	g.more.cert = p
	g.name(p)
}

// List serves edgeftp_list.
func (g *Guest) List(n int32) int64 {
	defer caught()
	rec, err := g.in(n)
	if err != nil {
		return g.fail(err)
	}
	if g.more.list == nil {
		return g.fail(errNotExported)
	}
	question, err := g.decoder.Listing(rec)
	if err != nil {
		return g.fail(err)
	}
	answer, err := g.more.list.List(g.context(), question)
	if err != nil {
		return g.fail(err)
	}
	return g.out(abi.AppendView(g.mailbox[:0], &answer))
}

// Cmd serves edgeftp_cmd.
func (g *Guest) Cmd(n int32) int64 {
	defer caught()
	rec, err := g.in(n)
	if err != nil {
		return g.fail(err)
	}
	if g.more.cmd == nil {
		return g.fail(errNotExported)
	}
	question, err := g.decoder.Command(rec)
	if err != nil {
		return g.fail(err)
	}
	answer, err := g.more.cmd.Command(g.context(), question)
	if err != nil {
		return g.fail(err)
	}
	return g.out(abi.AppendCommandAnswer(g.mailbox[:0], &answer))
}

// Site serves edgeftp_site.
func (g *Guest) Site(n int32) int64 {
	defer caught()
	rec, err := g.in(n)
	if err != nil {
		return g.fail(err)
	}
	if g.more.site == nil {
		return g.fail(errNotExported)
	}
	question, err := g.decoder.SiteCall(rec)
	if err != nil {
		return g.fail(err)
	}
	answer, err := g.more.site.CallSite(g.context(), question)
	if err != nil {
		return g.fail(err)
	}
	return g.out(abi.AppendSiteReply(g.mailbox[:0], &answer))
}

// Throttle serves edgeftp_throttle.
func (g *Guest) Throttle(n int32) int64 {
	defer caught()
	rec, err := g.in(n)
	if err != nil {
		return g.fail(err)
	}
	if g.more.throttle == nil {
		return g.fail(errNotExported)
	}
	question, err := g.decoder.Transfer(rec)
	if err != nil {
		return g.fail(err)
	}
	answer, err := g.more.throttle.Throttle(g.context(), question)
	if err != nil {
		return g.fail(err)
	}
	return g.out(abi.AppendRate(g.mailbox[:0], &answer))
}

// Data serves edgeftp_data.
func (g *Guest) Data(n int32) int64 {
	defer caught()
	rec, err := g.in(n)
	if err != nil {
		return g.fail(err)
	}
	if g.more.data == nil {
		return g.fail(errNotExported)
	}
	question, err := g.decoder.Chunk(rec)
	if err != nil {
		return g.fail(err)
	}
	answer, err := g.more.data.Filter(g.context(), question)
	if err != nil {
		return g.fail(err)
	}
	// What is carried is often the end of the chunk, which the reply is written over.
	if len(answer.Carry) <= len(g.more.carry) {
		answer.Carry = g.more.carry[:copy(g.more.carry[:], answer.Carry)]
	}
	return g.out(abi.AppendPiece(g.mailbox[:0], &answer))
}

// Cert serves edgeftp_cert.
func (g *Guest) Cert(n int32) int64 {
	defer caught()
	rec, err := g.in(n)
	if err != nil {
		return g.fail(err)
	}
	if g.more.cert == nil {
		return g.fail(errNotExported)
	}
	question, err := g.decoder.CertRequest(rec)
	if err != nil {
		return g.fail(err)
	}
	answer, err := g.more.cert.Certify(g.context(), question)
	if err != nil {
		return g.fail(err)
	}
	return g.out(abi.AppendCertAnswer(g.mailbox[:0], &answer))
}
