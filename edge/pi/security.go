package pi

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

func auth(s *Session, a Args) Outcome {
	switch {
	case s.who.TLS.Enabled():
		return Say(wire.CodeBadSequence, "TLS is in use already.")
	case s.conf.TLS == nil:
		return Say(wire.CodeNotImplemented, "There is no TLS here.")
	}
	switch a.Text {
	case "TLS", "TLS-C", "TLS-P", "SSL":
	default:
		return Say(wire.CodeBadParameter, "That mechanism is not supported; TLS is.")
	}
	if n := s.link.reader.Buffered() + len(s.held); n > 0 {
		// What came in clear behind AUTH would be carried out as if it had come
		// protected (the class of CVE-2011-0411).
		s.event(policy.Event{Kind: policy.EventTLSFailed, Text: "bytes in the clear came behind AUTH"})
		return Outcome{Reply: wire.Say(wire.CodeNotAvailable, "Nothing may follow AUTH before TLS has begun; closing the control connection."), Close: true}
	}
	if s.conf.Ready != nil && !s.conf.Ready() {
		return Say(wire.CodeNoSecurity, "The server has no certificate for TLS yet; try again in a minute.")
	}
	return Outcome{Reply: wire.Say(wire.CodeSecurityOK, "Begin TLS."), Secure: true}
}

// secure does the handshake on the control connection and forgets everything
// that was said in the clear (RFC 4217 §4.2).
func (s *Session) secure(ctx context.Context) {
	if !s.flush() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, dtp.HandshakeTime)
	defer cancel()
	s.arm(time.Time{})
	s.link.tls = &dtp.Control{Tag: dtp.NewTag(), Ready: s.conf.Ready, Host: s.who.Host, Serves: s.conf.Virtual.serves(s.who.Local.Addr())}
	tc := tls.Server(s.link.plain, dtp.ControlTLS(s.conf.TLS, s.link.tls))
	s.link.plain.greets, s.link.plain.spoken = true, false
	began := time.Now()
	err := tc.HandshakeContext(ctx)
	s.link.plain.greets = false
	if err != nil {
		s.unsecured(err)
		return
	}
	s.link.conn = tc
	if p := tc.ConnectionState().NegotiatedProtocol; dtp.Foreign(p) {
		s.log().Debug("the control connection was for another protocol", "protocol", p)
		s.link.quiet, s.link.closed = true, true // the handshake was all of it (RFC 8737 §3)
		return
	}
	s.logout()
	s.link.lang = s.conf.Languages.Default()
	s.link.reader.Reset()
	s.who.TLS = tlsFacts(tc.ConnectionState())
	if !s.link.tls.Agrees(s.who.Host) {
		s.who.Host = "" // it was said in the clear
	}
	if s.who.Host == "" {
		s.belong(s.unnamed())
	}
	if s.filezilla() {
		s.with.protect, s.who.DataTLS = true, true
	}
	s.publish()
	s.event(policy.Event{Kind: policy.EventTLSEstablished, Took: time.Since(began), Text: "TLS " + s.who.TLS.Version})
}

// unsecured ends a session whose handshake failed.
func (s *Session) unsecured(err error) {
	s.link.closed = true
	if errors.Is(err, dtp.ErrNotReady) {
		s.log().Debug("no TLS handshake on the control connection", "error", err)
		s.link.quiet = true
		return
	}
	// Whoever only looks whether the port answers has done nothing wrong, nor has who
	// asked for a certificate that the server could not get.
	if !errors.Is(err, io.EOF) && !s.link.tls.Lacking {
		s.offend(OffenceTLS)
	}
	s.event(policy.Event{Kind: policy.EventTLSFailed, Text: brief(err)})
	s.log().Info("TLS handshake failed on the control connection", "error", brief(err))
}

// brief is the text of an error without the most of what a client's handshake may have
// put into it: package tls repeats all protocols that were offered, 64 KiB of them, and
// quotes them. Events and logs of somebody who is not known yet stay small.
func brief(err error) string {
	const most = 300
	text := err.Error()
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// clear is CCC (RFC 4217 §6): a control connection that was protected stays so.
func clearControl(s *Session, _ Args) Outcome {
	if !s.who.TLS.Enabled() {
		return Say(wire.CodeCannotClear, "The control connection is not protected.")
	}
	return Say(wire.CodePolicyDenied, "The control connection stays protected here.")
}

func bufferSize(s *Session, a Args) Outcome {
	if !s.who.TLS.Enabled() {
		return Say(wire.CodeBadSequence, "PBSZ needs a protected control connection.")
	}
	if strings.Trim(strings.TrimSpace(a.Text), "0123456789") != "" {
		return Say(wire.CodeBadArgument, "PBSZ takes a number.")
	}
	return Say(wire.CodeOK, "PBSZ=0")
}

// protection takes PROT also without PBSZ before it: devices never send it.
func protection(s *Session, a Args) Outcome {
	if !s.who.TLS.Enabled() {
		return Say(wire.CodeBadSequence, "PROT needs a protected control connection.")
	}
	switch a.Text {
	case "P":
		s.with.protect = true
	case "C":
		if s.conf.TLSData || s.rank.id.Limits.DataTLS || s.sealedBelow() {
			return Say(wire.CodePolicyDenied, "Data connections need TLS here.")
		}
		s.with.protect = false
	case "S", "E":
		return Say(wire.CodeProtNotHere, "That protection level is not supported; P is.")
	default:
		return Say(wire.CodeNotImplemented, "That is not a protection level; P and C are.")
	}
	s.who.DataTLS = s.with.protect
	return Say(wire.CodeOK, "Data connections are at level %s.", a.Text)
}
