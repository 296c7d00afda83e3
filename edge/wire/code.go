package wire

// Code is a three-digit reply code (RFC 959 §4.2, RFC 2228 §5.1, RFC 3659 §2.3).
type Code int

// The reply codes that the server uses, named for what they say.
const (
	CodeDataOpen         Code = 125 // data connection already open; transfer starting
	CodeFileOK           Code = 150 // about to open data connection
	CodeOK               Code = 200 // the command was carried out
	CodeSuperfluous      Code = 202 // not needed at this site
	CodeSystemStatus     Code = 211 // system status, also FEAT and STAT
	CodeDirStatus        Code = 212 // directory status: STAT of a directory
	CodeFileStatus       Code = 213 // file status: SIZE, MDTM, HASH, STAT of a file
	CodeHelp             Code = 214 // help
	CodeSystemType       Code = 215 // the name of the system: SYST
	CodeReady            Code = 220 // ready for a new user
	CodeGoodbye          Code = 221 // closing the control connection
	CodeDataIdle         Code = 225 // data connection open; no transfer in progress
	CodeClosingData      Code = 226 // closing the data connection; the transfer is whole
	CodePassive          Code = 227 // PASV, with the address
	CodeExtendedPassive  Code = 229 // RFC 2428 §3
	CodeLoggedIn         Code = 230 // the user is logged in
	CodeLoggedInSecure   Code = 232 // no password needed (RFC 2228 §5.1, RFC 4217 §11)
	CodeSecurityOK       Code = 234 // RFC 2228 §3
	CodeFileActionOK     Code = 250 // the file action is done
	CodePathname         Code = 257 // the quoted path: PWD, MKD
	CodeNeedPassword     Code = 331 // the name is noted; the password is needed
	CodePending          Code = 350 // the file action needs another command: RNFR, REST
	CodeNotAvailable     Code = 421 // closing control connection
	CodeCantOpenData     Code = 425 // the data connection cannot be opened
	CodeAborted          Code = 426 // connection closed; transfer aborted
	CodeNoSecurity       Code = 431 // what AUTH would need is missing at the moment (RFC 2228 §5.1)
	CodeFileBusy         Code = 450 // the file is not available now
	CodeLocalError       Code = 451 // a fault of the server's
	CodeNoSpace          Code = 452 // there is no room
	CodeUnrecognized     Code = 500 // no such command, or too long a line
	CodeBadArgument      Code = 501 // a fault in the argument
	CodeNotImplemented   Code = 502 // the command is not carried out here
	CodeBadSequence      Code = 503 // the command does not come behind what was before
	CodeBadParameter     Code = 504 // the argument is understood and not supported
	CodeProtNotHere      Code = 521 // data connection cannot be opened with this PROT (RFC 4217 §9)
	CodeWrongFamily      Code = 522 // RFC 2428 §2; RFC 4217 §10.2: no security for the data connection
	CodeNotLoggedIn      Code = 530 // not logged in, or the login failed
	CodeCannotClear      Code = 533 // command protection level denied (RFC 2228 §5.2)
	CodePolicyDenied     Code = 534 // RFC 2228 §3
	CodeUnavailable      Code = 550 // no such file, or not permitted
	CodeWrongType        Code = 551 // only in TYPE I and MODE S: RANG, HASH (draft-bryan-ftp-range-08 §5, draft-bryan-ftpext-hash-02 §3.5)
	CodeExceedsAllowance Code = 552 // too large
	CodeBadName          Code = 553 // the name is not permitted
	CodeBadRestart       Code = 554 // RFC 3659 §5.4 by way of RFC 1123
	CodeNotHashed        Code = 556 // too large to hash, or otherwise against the rules for HASH (draft-bryan-ftpext-hash-02 §3.5)
)
