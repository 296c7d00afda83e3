package abi

import (
	"io/fs"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Import is a function that the host offers to guests (ABI §7).
type Import struct {
	Name string // in the module [ImportModule]
	Type string // parameters and result, such as "(i32, i64) -> i32"
	// Capability is what the manifest must declare and the operator must grant
	// before a module may import the function, without what follows a colon. Empty
	// for what needs no grant.
	Capability string
}

// Names of the capabilities (ABI §8). KV and Fetch may be followed by a colon and
// what exactly is meant.
const (
	CapLog      = "log"      // edgeftp.log; needs no grant
	CapKV       = "kv"       // the policy's own values, or those of a named space: "kv:NAMESPACE"
	CapMetric   = "metric"   // numbers among the server's metrics
	CapRandom   = "random"   // bytes that nobody can predict
	CapVerify   = "pw"       // whether a hash is that of the password of the login
	CapPassword = "password" // the hook auth is shown the password
	CapStat     = "fs.stat"  // facts of what the session sees
	CapDigest   = "digest"   // digest of the file that the question is about
	CapFetch    = "fetch"    // HTTP requests to one host: "fetch:HOST" or "fetch:HOST:PORT"
)

// Names of the host's functions beside [ImportLog] (ABI §7).
const (
	ImportKVGet  = "kv_get"
	ImportKVSet  = "kv_set"
	ImportKVIncr = "kv_incr"
	ImportKVCAS  = "kv_cas"
	ImportMetric = "metric"
	ImportRandom = "random"
	ImportVerify = "pw_verify"
	ImportStat   = "stat"
	ImportDigest = "digest"
	ImportFetch  = "fetch"
)

// Imports lists the host's functions in the order of ABI §7.
func Imports() []Import {
	return []Import{
		{ImportLog, "(i32, i32, i32)", ""},
		{ImportKVGet, "(i32, i32, i32, i32) -> i64", CapKV},
		{ImportKVSet, "(i32, i32, i32, i32, i64) -> i32", CapKV},
		{ImportKVIncr, "(i32, i32, i64, i64, i32) -> i32", CapKV},
		{ImportKVCAS, "(i32, i32, i32, i32, i32, i32, i64) -> i32", CapKV},
		{ImportMetric, "(i32, i32, i32, i64)", CapMetric},
		{ImportRandom, "(i32, i32)", CapRandom},
		{ImportVerify, "(i32, i32) -> i32", CapVerify},
		{ImportStat, "(i32, i32, i32, i32) -> i64", CapStat},
		{ImportDigest, "(i32, i32, i32, i32) -> i64", CapDigest},
		{ImportFetch, "(i32, i32, i32, i32) -> i64", CapFetch},
	}
}

// NoValue is the length that kv_set and kv_cas take for "no value": the key is
// removed, or must be absent.
const NoValue = 0xffffffff

// Kinds of a metric.
const (
	MetricCounter int32 = iota // v is added; what is negative is not taken
	MetricGauge                // v is the value from now on
)

// Bounds of the imports, beside those of edge/policy (ABI §7).
const (
	MaxMetrics      = 64   // names of one policy
	MaxMetricName   = 64   // bytes
	MaxRandom       = 4096 // bytes of one call of random
	MaxVerifyHash   = 512  // bytes of a stored hash
	MaxAlgorithm    = 32   // bytes of the name of a digest's algorithm
	MaxFetchURL     = 2048
	MaxFetchHeaders = 32      // HEADER entries of a request, and of a response
	MaxFetchWants   = 16      // WANT entries of a request
	MaxFetchHeader  = 4096    // bytes of one header, name and value
	MaxFetchBody    = 1 << 16 // bytes of a request's body
	MaxFetchReply   = 1 << 20 // bytes of a whole response
)

// Errno is what an import returns in place of a result: a number below zero, the
// same one for all of them (ABI §7). Zero is no error.
type Errno int32

// The errors of imports.
const (
	ErrnoNotFound Errno = -1  // there is no such key, path or file
	ErrnoFull     Errno = -2  // the space of values is full
	ErrnoSize     Errno = -3  // too long, or there is no room for the result
	ErrnoType     Errno = -4  // the value is no counter
	ErrnoDenied   Errno = -5  // not at this stage, not this host, or not for this session
	ErrnoIO       Errno = -6  // the disk, the network or the other server failed
	ErrnoTimeout  Errno = -7  // the time of the call or of the request is over
	ErrnoBusy     Errno = -8  // too many at once, or asked from within itself
	ErrnoInvalid  Errno = -9  // the arguments mean nothing
	minErrno            = -10 // one less than the last
)

// Is makes an Errno the error of edge/policy or io/fs that it stands for, to
// errors.Is.
func (e Errno) Is(target error) bool {
	switch target {
	case policy.ErrKVFull:
		return e == ErrnoFull
	case policy.ErrKVSize:
		return e == ErrnoSize
	case policy.ErrKVType:
		return e == ErrnoType
	case fs.ErrNotExist:
		return e == ErrnoNotFound
	case fs.ErrPermission:
		return e == ErrnoDenied
	case fs.ErrInvalid:
		return e == ErrnoInvalid
	}
	return false
}

// Error returns the error in a few words.
func (e Errno) Error() string {
	names := [-minErrno]string{"no error", "not found", "no space left", "too long", "not a counter",
		"not permitted here", "failed", "timed out", "busy", "invalid argument"}
	if e > 0 || e <= minErrno {
		return "unknown error of the host"
	}
	return names[-e]
}
