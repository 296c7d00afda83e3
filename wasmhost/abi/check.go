package abi

// CheckReply reports whether the answer of a hook keeps the rules of ABI §6: it is the
// error of decoding it, [ErrFailed] for the action fail. entries is how many a listing
// had, and without meaning for other hooks.
func CheckReply(h Hook, v Verdict, b []byte, entries int, strict bool) (err error) {
	switch h {
	case HookAuth:
		_, err = DecodeIdentity(v, b, strict)
	case HookFS:
		_, err = DecodeAnswer(v, b, strict)
	case HookList:
		_, err = DecodeView(v, b, entries, strict)
	case HookCmd:
		_, err = DecodeCommandAnswer(v, b, strict)
	case HookSite:
		_, err = DecodeSiteReply(v, b, strict)
	case HookThrottle:
		_, err = DecodeRate(v, b, strict)
	case HookData:
		_, err = DecodePiece(v, b, strict)
	case HookCert:
		_, err = DecodeCertAnswer(v, b, strict)
	default:
		err = DecodeDone(v, b, strict)
	}
	return err
}
