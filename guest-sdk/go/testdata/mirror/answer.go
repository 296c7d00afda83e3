package main

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// given is an answer of any hook in the vocabulary of edge/policy, and what of the
// instruction has no place in it.
type given struct {
	hook   abi.Hook
	action policy.Verdict
	final  bool
	cache  bool
	code   int
	data   []byte
	id     policy.Identity
	answer policy.Answer
	view   policy.View
	site   policy.SiteReply
	rate   policy.Rate
	piece  policy.Piece
}

var errNoPlace = errors.New("there is no field for it")

// answer builds the answer that the instruction names.
func answer(in *input) string {
	g := given{hook: abi.Hook(in.byte()), action: policy.Verdict(in.byte())}
	flags := in.byte()
	g.final, g.cache = flags&1 != 0, flags&2 != 0
	g.code = int(in.uint16())
	g.data = in.bytes()
	var err error
	for len(in.rest) > 0 && !in.short {
		key := abi.Key(in.uint16())
		value := append([]byte{}, in.take(int(in.uint16()))...)
		if e := g.set(key, value); err == nil {
			err = e
		}
	}
	if err != nil || flags > 3 {
		return "refused\n"
	}
	reply, v, err := g.encode()
	if err != nil || v.Cache != g.cache || v.Final != g.final || v.Code != g.code {
		return "refused\n"
	}
	return string(append(binary.LittleEndian.AppendUint64(nil, v.Pack()), reply...))
}

// encode writes the answer as the SDK does with what a policy returned.
func (g *given) encode() ([]byte, abi.Verdict, error) {
	if g.action == abi.Fail { // an error of the policy
		reply, v := abi.AppendFailure(nil, g.answer.Text)
		return reply, v, nil
	}
	switch g.hook {
	case abi.HookAuth:
		g.id.Verdict, g.id.Final, g.id.Code = g.action, g.final, g.code
		return abi.AppendIdentity(nil, &g.id)
	case abi.HookFS:
		g.answer.Verdict, g.answer.Final, g.answer.Code = g.action, g.final, g.code
		return abi.AppendAnswer(nil, &g.answer)
	case abi.HookList:
		g.view.Verdict, g.view.Code, g.view.Text = g.action, g.code, g.answer.Text
		return abi.AppendView(nil, &g.view)
	case abi.HookCmd:
		g.answer.Verdict, g.answer.Code = g.action, g.code
		return abi.AppendCommandAnswer(nil, &g.answer)
	case abi.HookSite:
		g.site.Verdict, g.site.Code = g.action, g.code
		return abi.AppendSiteReply(nil, &g.site)
	case abi.HookThrottle:
		return abi.AppendRate(nil, &g.rate)
	case abi.HookData:
		g.piece.Verdict, g.piece.Code, g.piece.Text, g.piece.Data = g.action, g.code, g.answer.Text, g.data
		return abi.AppendPiece(nil, &g.piece)
	case abi.HookCert:
		g.answer.Verdict = g.action
		return abi.AppendCertAnswer(nil, &g.answer)
	}
	return nil, abi.Verdict{}, errNoPlace // an observer only fails
}

// set puts one entry into the field of its key.
func (g *given) set(key abi.Key, b []byte) error {
	limits := &g.answer.Limits
	if g.hook == abi.HookAuth {
		limits = &g.id.Limits
	}
	switch key {
	case abi.KeyText:
		g.id.Text, g.answer.Text = string(b), string(b)
	case abi.KeyPath:
		g.answer.Path = string(b)
	case abi.KeyPath2:
		g.answer.Path2 = string(b)
	case abi.KeyLabel:
		g.id.Label, g.answer.Label = string(b), string(b)
	case abi.KeyRateDown:
		limits.RateDown = number(b)
	case abi.KeyRateUp:
		limits.RateUp = number(b)
	case abi.KeyMaxFileSize:
		limits.MaxFileSize = number(b)
	case abi.KeyDataTLS:
		limits.DataTLS = number(b) == 1
	case abi.KeyTTL:
		ttl := time.Duration(number(b)) * time.Millisecond
		g.answer.TTL, g.rate.TTL = ttl, ttl
	case abi.KeyHideBits:
		for i := range 8 * len(b) {
			if b[i/8]&(1<<(i%8)) != 0 {
				g.view.Hidden.Set(i)
			}
		}
	case abi.KeyLine:
		g.site.Lines = append(g.site.Lines, string(b))
	case abi.KeyRate:
		g.rate.Limit = number(b)
	case abi.KeyCarry:
		g.piece.Carry = b
	default:
		return g.setLogin(key, b)
	}
	return nil
}

// setLogin is set for what only a login has.
func (g *given) setLogin(key abi.Key, b []byte) (err error) {
	switch key {
	case abi.KeyHome:
		g.id.Home = string(b)
	case abi.KeyPerms:
		var perms policy.Perms
		perms, err = policy.ParsePerms(string(b))
		g.id.Perms = &perms
	case abi.KeyExpires:
		g.id.Expires = time.Unix(0, number(b))
	case abi.KeyState:
		g.id.State = b
	case abi.KeyMaxSessions:
		g.id.MaxSessions = int(number(b))
	case abi.KeyMsgLogin:
		g.id.MsgLogin = string(b)
	case abi.KeyMsgQuit:
		g.id.MsgQuit = string(b)
	case abi.KeyGroup:
		g.id.Group = string(b)
	case abi.KeyPasswordHash:
		g.id.PasswordHash = string(b)
	case abi.KeyRule:
		err = g.rule(string(b))
	case abi.KeyNetwork:
		var n netip.Prefix
		n, err = netip.ParsePrefix(string(b))
		g.id.Networks = append(g.id.Networks, n)
	case abi.KeyAnonymous:
		g.id.Anonymous = number(b) == 1
	case abi.KeyLenient:
		g.id.Lenient = policy.Lenience{Resumption: number(b)&1 != 0, CloseNotify: number(b)&2 != 0}
	default:
		return errNoPlace
	}
	return err
}

func (g *given) rule(s string) error {
	dir, rest, _ := strings.Cut(s, "\x00")
	letters, below, _ := strings.Cut(rest, "\x00")
	perms, err := policy.ParsePerms(letters)
	g.id.Rules = append(g.id.Rules, policy.PathRule{Dir: dir, Perms: perms, Recursive: below == "\x01"})
	return err
}

// number is a little-endian number of any size.
func number(b []byte) (n int64) {
	for i, c := range b {
		n |= int64(c) << (8 * i)
	}
	return n
}
