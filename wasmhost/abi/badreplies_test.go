package abi

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// tlv is one entry of a reply.
func tlv(k Key, value string) string {
	b := binary.LittleEndian.AppendUint16(nil, uint16(k))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	return string(b) + value
}

type badReply struct {
	name  string
	hook  Hook
	raw   uint64 // the length is filled in unless it is there
	reply string
	want  string
}

// Actions in their place in a verdict.
const (
	allow   = 1 << 16
	deny    = 2 << 16
	rewrite = 3 << 16
	hide    = 4 << 16
	fail    = 5 << 16
)

// badAnswers are for the hook fs.
func badAnswers() []badReply {
	return []badReply{
		{"action 6", HookFS, 6 << 16, "", "bad"},
		{"all bits", HookFS, ^uint64(0), "", "bad"},
		{"unknown flag", HookFS, 1 << 26, "", "bad"},
		{"code 399", HookFS, deny | 399, "", "bad"},
		{"code 600", HookFS, deny | 600, "", "bad"},
		{"code beside allow", HookFS, allow | 550, "", "bad"},
		{"code beside hide", HookFS, hide | 550, "", "bad"},
		{"reply of 2 GiB", HookFS, deny | 0x7fffffff<<32, "", "bad"},
		{"rewrite without a path", HookFS, rewrite, "", "bad"},
		{"path beside allow", HookFS, allow, tlv(KeyPath, "/x"), "bad"},
		{"relative path", HookFS, rewrite, tlv(KeyPath, "x"), "bad"},
		{"empty path", HookFS, rewrite, tlv(KeyPath, ""), "bad"},
		{"path with a NUL", HookFS, rewrite, tlv(KeyPath, "/x\x00"), "bad"},
		{"path of 4,097 bytes", HookFS, rewrite, tlv(KeyPath, "/"+strings.Repeat("x", 4096)), "bad"},
		{"cut entry", HookFS, deny, "\x01\x00\x01", "bad"},
		{"entry longer than the reply", HookFS, deny, "\x01\x00\xff\xffno", "bad"},
		{"key 0", HookFS, deny, tlv(0, "x"), "bad"},
		{"TEXT twice", HookFS, deny, tlv(KeyText, "a") + tlv(KeyText, "b"), "bad"},
		{"TEXT with CR LF", HookFS, deny, tlv(KeyText, "a\r\n550 b"), "bad"},
		{"TEXT with a NUL", HookFS, deny, tlv(KeyText, "a\x00"), "bad"},
		{"TEXT with an escape", HookFS, deny, tlv(KeyText, "\x1b[2J"), "bad"},
		{"TEXT that is not UTF-8", HookFS, deny, tlv(KeyText, "\xfe"), "bad"},
		{"TEXT of 513 bytes", HookFS, deny, tlv(KeyText, strings.Repeat("x", 513)), "bad"},
		{"rate of 4 bytes", HookFS, allow, tlv(KeyRateUp, "\x01\x00\x00\x00"), "bad"},
		{"negative rate", HookFS, allow, tlv(KeyRateUp, "\xff\xff\xff\xff\xff\xff\xff\xff"), "bad"},
		{"truth of 2", HookFS, allow, tlv(KeyDataTLS, "\x02"), "bad"},
		{"HOME for fs", HookFS, allow, tlv(KeyHome, "/"), "bad"},
		{"HIDE_BITS for fs", HookFS, allow, tlv(KeyHideBits, ""), "bad"},
	}
}

// badOthers are for the other hooks, and the action fail.
func badOthers() []badReply {
	zero8 := string(make([]byte, 8))
	return []badReply{
		{"fail", HookFS, fail, "", "failed"},
		{"fail with a reason", HookFS, fail, tlv(KeyText, "no table"), "failed"},
		{"fail with bad bytes", HookFS, fail, tlv(KeyText, "\n"), "bad"},
		{"login, rewrite", HookAuth, rewrite, tlv(KeyText, "x"), "bad"},
		{"login, hide", HookAuth, hide, "", "bad"},
		{"login, PATH", HookAuth, allow, tlv(KeyPath, "/x"), "bad"},
		{"login, unknown letter", HookAuth, allow, tlv(KeyPerms, "elz"), "bad"},
		{"login, letter twice", HookAuth, allow, tlv(KeyPerms, "ee"), "bad"},
		{"login, STATE of 1,025 bytes", HookAuth, allow, tlv(KeyState, strings.Repeat("x", 1025)), "bad"},
		{"login, PWHASH of pass", HookAuth, 0, tlv(KeyPasswordHash, "x"), "bad"},
		{"login, QUOTA_BYTES", HookAuth, allow, tlv(KeyQuotaBytes, zero8), "unsupported"},
		{"login, QUOTA_FILES", HookAuth, allow, tlv(KeyQuotaFiles, zero8), "unsupported"},
		{"login, MOUNT", HookAuth, allow, tlv(KeyMount, "/a\x00/b\x00elr"), "unsupported"},
		{"event, rewrite", HookEvent, rewrite, "", "bad"},
		{"event, fail", HookEvent, fail, "", "failed"},
		{"event, deny", HookEvent, deny, tlv(KeyText, "x"), "failed"},
		{"event, LABEL", HookEvent, 0, tlv(KeyLabel, "x"), "bad"},
		{"unknown key", HookFS, allow, tlv(0x7fff, "x"), "bad"},
	}
}

// badNew are what minor 2 must not take.
func badNew() []badReply {
	rule := func(s string) string { return tlv(KeyRule, s) }
	return []badReply{
		{"code 250 beside allow", HookFS, allow | 250, "", "bad"},
		{"login, rule without letters", HookAuth, allow, rule("/in"), "bad"},
		{"login, rule without a truth", HookAuth, allow, rule("/in\x00elr\x00"), "bad"},
		{"login, rule with a truth of 2", HookAuth, allow, rule("/in\x00elr\x00\x02"), "bad"},
		{"login, rule of a relative directory", HookAuth, allow, rule("in\x00elr\x00\x01"), "bad"},
		{"login, rule with a letter twice", HookAuth, allow, rule("/in\x00ee\x00\x01"), "bad"},
		{"login, 257 rules", HookAuth, allow, strings.Repeat(rule("/\x00e\x00\x00"), 257), "bad"},
		{"login, anonymous of 2", HookAuth, allow, tlv(KeyAnonymous, "\x02"), "bad"},
		{"login, lenient of 4", HookAuth, allow, tlv(KeyLenient, "\x04"), "bad"},
		{"list, rewrite", HookList, rewrite, "", "bad"},
		{"list, FINAL", HookList, 1 << 24, "", "bad"},
		{"list, CACHE", HookList, 2 << 24, "", "bad"},
		{"list, 33 bytes of bits", HookList, 0, tlv(KeyHideBits, strings.Repeat("\xff", 33)), "bad"},
		{"list, bits beside deny", HookList, deny, tlv(KeyHideBits, "\x01"), "bad"},
		{"list, bits twice", HookList, 0, tlv(KeyHideBits, "\x01") + tlv(KeyHideBits, "\x02"), "bad"},
		{"cmd, hide", HookCmd, hide, "", "bad"},
		{"cmd, rewrite", HookCmd, rewrite, "", "bad"},
		{"cmd, FINAL", HookCmd, allow | 1<<24, "", "bad"},
		{"cmd, code 250 beside allow", HookCmd, allow | 250, "", "bad"},
		{"site, hide", HookSite, hide, "", "bad"},
		{"site, code 331 beside allow", HookSite, allow | 331, "", "bad"},
		{"site, code 250 beside deny", HookSite, deny | 250, "", "bad"},
		{"site, code 250 beside pass", HookSite, 250, "", "bad"},
		{"site, 65 lines", HookSite, allow, strings.Repeat(tlv(KeyLine, "x"), 65), "bad"},
		{"site, line with CR LF", HookSite, allow, tlv(KeyLine, "a\r\n200 b"), "bad"},
		{"site, TEXT", HookSite, deny, tlv(KeyText, "x"), "bad"},
		{"site, fail", HookSite, fail, tlv(KeyText, "x"), "failed"},
		{"throttle, deny", HookThrottle, deny, "", "bad"},
		{"throttle, TEXT", HookThrottle, 0, tlv(KeyText, "x"), "bad"},
		{"throttle, rate of 4 bytes", HookThrottle, 0, tlv(KeyRate, "\x01\x00\x00\x00"), "bad"},
		{"throttle, fail", HookThrottle, fail, "", "failed"},
		{"data, rewrite without a length", HookData, rewrite, "", "bad"},
		{"data, rewrite with half a length", HookData, rewrite, "\x00\x00\x00", "bad"},
		{"data, rewrite longer than the reply", HookData, rewrite, "\x05\x00\x00\x00abcd", "bad"},
		{"data, rewrite of 4 GiB", HookData, rewrite, "\xff\xff\xff\xffabcd", "bad"},
		{"data, rewrite and bytes behind it", HookData, rewrite, "\x01\x00\x00\x00a\x00", "bad"},
		{"data, 1,025 bytes carried", HookData, 0, tlv(KeyCarry, strings.Repeat("x", 1025)), "bad"},
		{"data, CACHE", HookData, 2 << 24, "", "bad"},
		{"data, fail", HookData, fail, tlv(KeyText, "no"), "failed"},
		{"cert, code", HookCert, deny | 550, "", "bad"},
		{"cert, hide", HookCert, hide, "", "bad"},
		{"cert, LABEL", HookCert, allow, tlv(KeyLabel, "x"), "bad"},
		{"event, RATE", HookEvent, 0, tlv(KeyRate, string(make([]byte, 8))), "bad"},
		{"unknown key of cert", HookCert, allow, tlv(0x7fff, "x"), "bad"},
	}
}

// badReplies are verdicts and replies that a host must not take for good, with
// what it must take them for.
func badReplies(t *testing.T, cases []badReply) []replyVector {
	var list []replyVector
	for _, c := range cases {
		raw := c.raw
		if raw>>32 == 0 {
			raw |= uint64(len(c.reply)) << 32
		}
		v := replyVector{Name: c.name, Hook: c.hook.String(), Verdict: fmt.Sprintf("%016x", raw),
			Reply: hex.EncodeToString([]byte(c.reply)), Result: c.want}
		if got := result(c.hook, raw, []byte(c.reply), true); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if lenient := result(c.hook, raw, []byte(c.reply), false); lenient != c.want {
			v.Lenient = lenient
			if !strings.HasPrefix(c.name, "unknown key") {
				t.Errorf("%s: a lenient host says %s", c.name, lenient)
			}
		}
		list = append(list, v)
	}
	return list
}

// TestLengthLies holds that a reply must be as long as the verdict says.
func TestLengthLies(t *testing.T) {
	if _, err := DecodeAnswer(Verdict{Action: policy.Deny, Len: 5}, []byte("abc"), false); err == nil {
		t.Error("a short reply was taken")
	}
	if _, err := DecodeAnswer(Verdict{Action: policy.Deny}, []byte(tlv(KeyText, "a")), false); err == nil {
		t.Error("bytes without a length were taken")
	}
}
