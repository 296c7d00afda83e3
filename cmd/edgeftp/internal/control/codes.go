package control

// The codes of refusals. Each means one thing for ever, and stands here and in the
// table that "edgeftp explain" prints, nowhere else; those of modules that are refused
// when they are loaded are the policy host's.
const (
	// Of the server itself.

	CodeFault = "EF1000" // the server made a mistake, which is in its log

	// Of policies and their modules.

	CodePolicy        = "EF2000" // a change of a policy failed
	CodePolicyUnknown = "EF2001" // no policy module has that name
	CodePolicyFirst   = "EF2002" // there is no earlier module to go back to
	CodeTrial         = "EF2003" // a trial is not set up right
	CodePolicyHistory = "EF2004" // the history has no such module
	CodeNoCandidate   = "EF2005" // there is no candidate
	CodeCandidate     = "EF2006" // a candidate is being tried already
	CodePolicyChanged = "EF2007" // what was kept of an earlier module has changed
	CodeRecording     = "EF2008" // a recording is not set up right
	CodeRecorded      = "EF2009" // the policy is being recorded already

	// Of who asks, and what everybody may ask.

	CodeRole      = "EF2140" // that needs another role
	CodeNobody    = "EF2141" // nobody may do that
	CodeReason    = "EF2142" // the reason is not one line
	CodeAuditFull = "EF2143" // the audit log cannot be written
	CodeMoved     = "EF2144" // somebody else has changed it meanwhile
	CodeAudit     = "EF2145" // the audit log cannot be asked that
	CodeHost      = "EF2146" // the header Host names another server
	CodeOrigin    = "EF2147" // the request comes from a page of another site
	CodeAttempts  = "EF2148" // too many failed attempts from this address
	CodeStranger  = "EF2149" // the server does not know who asks
	CodeEvents    = "EF2150" // that is no question for the stream of events
	CodeListeners = "EF2151" // too many listen to the events already
	CodeLevel     = "EF2152" // that is no level of the log
	CodeDrain     = "EF2153" // that is no limit for draining
	CodeProfile   = "EF2154" // there is no such profile
	CodeLevels    = "EF2155" // a level of the log cannot be set so
	CodeStopping  = "EF2156" // the server is stopping already
	CodeUpgrade   = "EF2157" // the server cannot be replaced now
	CodeReplaced  = "EF2158" // another process takes the server's place
	CodeNoWebhook = "EF2160" // no webhook has that name

	// Of certificates.

	CodeNoCertificate = "EF2201" // the server has no certificate for that name
	CodeNotRenewed    = "EF2202" // a certificate was not renewed
	CodeNotInTime     = "EF2203" // the authority has not issued a certificate in time
	CodeNoAuthority   = "EF2204" // this server has no development authority

	// Of the configuration.

	CodeConfigRequest = "EF2300" // that is no configuration, or no number of one
	CodeConfigInvalid = "EF2301" // the file has faults
	CodeConfigUpgrade = "EF2302" // a running server cannot take it
	CodeConfigMoved   = "EF2303" // another one is in force than the caller has seen
	CodeConfigNone    = "EF2304" // there is no such configuration
	CodeConfigFailed  = "EF2305" // something that it names cannot be had

	// Of users.

	CodeUserRequest = "EF2401" // the body is none
	CodeUserUnknown = "EF2402" // answered with 404
	CodeUserExists  = "EF2403" // the name is taken
	CodeUserEntry   = "EF2404" // a key or value that does not fit
	CodeUserSource  = "EF2405" // the user stands in a file, or the store is not in use
	CodeUserRoot    = "EF2406" // the directory cannot be served

	// Of requests, and modules as they are sent.

	CodeNoRequest   = "EF2500" // the admin API has no such request
	CodeNotWhole    = "EF2501" // the modules were not sent whole
	CodeEmpty       = "EF2502" // the module that was sent is empty
	CodeNoModule    = "EF2503" // the body is not said to be a module
	CodeNoSignature = "EF2504" // the header of the signature is not base64
	CodeTooMuch     = "EF2505" // the module that was sent is too large

	// Of bandwidth.

	CodeLimit     = "EF2510" // that is no limit of bandwidth
	CodeScope     = "EF2511" // there is no such scope
	CodeScopeName = "EF2512" // the scope and the name do not fit
	CodeNoPlace   = "EF2513" // there is no such listener or virtual host
	CodeNegative  = "EF2514" // a rate is negative

	// Of bans.

	CodeBan        = "EF2520" // that is no ban
	CodeBanRefused = "EF2521" // that ban is refused
	CodeNotBanned  = "EF2522" // that network is not banned

	// Of sessions and transfers.

	CodeGone      = "EF2530" // there is no such session or transfer: answered with 404
	CodeUnlimited = "EF2531" // the transfer can have no limit
	CodeWhose     = "EF2532" // that names no sessions
	CodeLiveLimit = "EF2533" // a live limit says nothing
)
