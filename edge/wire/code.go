package wire

// Code is a three-digit reply code (RFC 959 §4.2, RFC 2228 §5.1, RFC 3659 §2.3).
type Code int

// The reply codes that the server uses, named for what they say.
const (
	CodeDataOpen         Code = 125 // data connection already open; transfer starting
	CodeFileOK           Code = 150 // about to open data connection
	CodeOK               Code = 200
	CodeSuperfluous      Code = 202 // not needed at this site
	CodeSystemStatus     Code = 211
	CodeDirStatus        Code = 212
	CodeFileStatus       Code = 213
	CodeHelp             Code = 214
	CodeSystemType       Code = 215
	CodeReady            Code = 220
	CodeGoodbye          Code = 221
	CodeDataIdle         Code = 225 // data connection open; no transfer in progress
	CodeClosingData      Code = 226
	CodePassive          Code = 227
	CodeExtendedPassive  Code = 229 // RFC 2428 §3
	CodeLoggedIn         Code = 230
	CodeLoggedInSecure   Code = 232 // no password needed (RFC 2228 §5.1, RFC 4217 §11)
	CodeSecurityOK       Code = 234 // RFC 2228 §3
	CodeFileActionOK     Code = 250
	CodePathname         Code = 257
	CodeNeedPassword     Code = 331
	CodePending          Code = 350
	CodeNotAvailable     Code = 421 // closing control connection
	CodeCantOpenData     Code = 425
	CodeAborted          Code = 426 // connection closed; transfer aborted
	CodeNoSecurity       Code = 431 // what AUTH would need is missing at the moment (RFC 2228 §5.1)
	CodeFileBusy         Code = 450
	CodeLocalError       Code = 451
	CodeNoSpace          Code = 452
	CodeUnrecognized     Code = 500
	CodeBadArgument      Code = 501
	CodeNotImplemented   Code = 502
	CodeBadSequence      Code = 503
	CodeBadParameter     Code = 504
	CodeProtNotHere      Code = 521 // data connection cannot be opened with this PROT (RFC 4217 §9)
	CodeWrongFamily      Code = 522 // RFC 2428 §2; RFC 4217 §10.2: no security for the data connection
	CodeNotLoggedIn      Code = 530
	CodeCannotClear      Code = 533 // command protection level denied (RFC 2228 §5.2)
	CodePolicyDenied     Code = 534 // RFC 2228 §3
	CodeUnavailable      Code = 550
	CodeWrongType        Code = 551 // only in TYPE I and MODE S: RANG, HASH (draft-bryan-ftp-range-08 §5, draft-bryan-ftpext-hash-02 §3.5)
	CodeExceedsAllowance Code = 552
	CodeBadName          Code = 553
	CodeBadRestart       Code = 554 // RFC 3659 §5.4 by way of RFC 1123
	CodeNotHashed        Code = 556 // too large to hash, or otherwise against the rules for HASH (draft-bryan-ftpext-hash-02 §3.5)
)
