package control

import (
	"context"
	"time"
)

// Policies are the slots of a running server. After an error nothing has changed.
type Policies interface {
	// Swap puts modules in the place of policies (POST /v1/policies/{name}/swap with
	// one, POST /v1/policies/swap with several: all of them or none).
	Swap(ctx context.Context, s Swap) ([]Policy, error)
	// Promote puts a candidate in force for all (POST /v1/policies/{name}/promote).
	Promote(ctx context.Context, name string) (Policy, error)
	// Rollback ends the trial or comparison of a candidate, or without one brings an
	// earlier module back (POST /v1/policies/{name}/rollback): the one before, or
	// that which to names, by its number in the history or the beginning of its
	// digest.
	Rollback(ctx context.Context, name, to string) (Policy, error)
	// History lists what a slot took, the newest first (GET
	// /v1/policies/{name}/history).
	History(name string) ([]Accepted, error)
	// Differences lists what a shadow answered otherwise, the oldest first (GET
	// /v1/policies/{name}/differences).
	Differences(name string) ([]Difference, error)
}

// Swap is a change of policies.
type Swap struct {
	Modules   []Module      `json:"modules"`
	Canary    int           `json:"canary,omitempty"`          // percent of the sessions, 0 for what the configuration says
	For       time.Duration `json:"for,omitempty"`             // nanoseconds, 0 for what the configuration says
	Shadow    bool          `json:"shadow,omitempty"`          // compare only
	Now       bool          `json:"now,omitempty"`             // at once and for good, whatever the configuration says
	Downgrade bool          `json:"allow_downgrade,omitempty"` // an older version may follow
}

// Module is a module for a slot.
type Module struct {
	Name      string `json:"name"`                // of the slot
	Module    []byte `json:"module"`              // base64 in JSON
	Signature []byte `json:"signature,omitempty"` // as minisign writes it
	Source    string `json:"source,omitempty"`    // where it came from, for people
}

// Policy is one policy that is in force, or a candidate. Numbers count from when it
// took its slot.
type Policy struct {
	Name       string    `json:"name"`
	Generation uint64    `json:"generation"` // from 1, one more with each swap
	Kind       string    `json:"kind"`       // native or module
	State      string    `json:"state"`      // active, canary or failing
	Digest     string    `json:"digest,omitempty"`
	Version    string    `json:"version,omitempty"` // of the manifest
	Signer     string    `json:"signer,omitempty"`  // the key that signed it
	Hooks      []string  `json:"hooks"`
	Since      time.Time `json:"since"`
	Calls      uint64    `json:"calls"`
	Denied     uint64    `json:"denied"`
	Failed     uint64    `json:"failed"`
	Skipped    uint64    `json:"skipped"` // questions that an open breaker kept away
	Dropped    uint64    `json:"events_dropped"`
	Instances  int       `json:"instances"`
	CanRoll    bool      `json:"can_roll_back"`

	Stages   []Stage            `json:"stages"`
	Events   *Events            `json:"events,omitempty"`
	Breaker  Breaker            `json:"breaker"`
	Observer Breaker            `json:"event_breaker"`
	Sandbox  *Sandbox           `json:"sandbox,omitempty"` // of a module
	Metrics  map[string]float64 `json:"metrics,omitempty"` // that the module counts itself
	Trial    *Trial             `json:"trial,omitempty"`
	Shadow   *Shadow            `json:"shadow,omitempty"`
}

// Stage counts what a policy has done at one stage.
type Stage struct {
	Stage    string            `json:"stage"`
	Calls    uint64            `json:"calls"`
	Verdicts map[string]uint64 `json:"verdicts"`
	Failed   uint64            `json:"failed"`
	Aborted  uint64            `json:"aborted"` // the client had gone
	Skipped  uint64            `json:"skipped"`
	Samples  uint64            `json:"samples"`     // calls whose time was taken
	P50      float64           `json:"p50_seconds"` // to the next power of two; 0 without samples
	P99      float64           `json:"p99_seconds"` // likewise
}

// Events counts what a policy was told.
type Events struct {
	Added     uint64 `json:"added"`
	Delivered uint64 `json:"delivered"`
	Lost      uint64 `json:"lost"`
	Dropped   uint64 `json:"dropped"`
	Stored    uint64 `json:"stored"`  // in files
	Waiting   uint64 `json:"waiting"` // in files, those of earlier runs too
	Gone      uint64 `json:"gone"`    // from the files, untaken
	Queued    int    `json:"queued"`
}

// Breaker tells how a breaker stands.
type Breaker struct {
	Open     bool       `json:"open"`
	Failures int        `json:"failures"` // in a row
	Probe    *time.Time `json:"probe,omitempty"`
}

// Sandbox is what a module costs.
type Sandbox struct {
	Faults     map[string]uint64 `json:"faults"` // failed calls by cause
	Fuel       uint64            `json:"fuel"`   // units of work
	Instances  int               `json:"instances"`
	Idle       int               `json:"idle"`
	Made       uint64            `json:"made"`
	Waits      uint64            `json:"waits"`           // calls that had to wait for an instance
	Waited     float64           `json:"waited_seconds"`  // that they have waited, in all
	WaitTimes  []uint64          `json:"-"`               // of the waits, as wasmhost's Stats has them: for the figures
	Compile    float64           `json:"compile_seconds"` // that compiling took at the load; little from the cache
	Memory     uint64            `json:"memory_bytes"`
	CacheHits  uint64            `json:"cache_hits"`
	LogDropped uint64            `json:"log_dropped"`
}

// Trial is a candidate that judges.
type Trial struct {
	Candidate Policy     `json:"candidate"`
	Percent   int        `json:"percent"` // of the sessions
	Until     *time.Time `json:"until,omitempty"`
}

// Shadow is a candidate that is asked for comparison alone.
type Shadow struct {
	Digest   string    `json:"digest"`
	Version  string    `json:"version,omitempty"`
	Since    time.Time `json:"since"`
	Compared uint64    `json:"compared"`
	Differed uint64    `json:"differed"`
	Failed   uint64    `json:"failed"`
	Dropped  uint64    `json:"dropped"`
	Queued   int       `json:"queued"`
}

// Difference is a question that a candidate answered otherwise.
type Difference struct {
	Time      time.Time `json:"time"`
	Stage     string    `json:"stage"`
	Op        string    `json:"op,omitempty"`
	Path      string    `json:"path"`
	User      string    `json:"user"`
	Main      string    `json:"main"`      // what the policy in force made of it
	Candidate string    `json:"candidate"` // likewise
}

// Accepted is a module that a slot took.
type Accepted struct {
	Number  int       `json:"number"` // 0 is the newest
	Digest  string    `json:"digest"`
	Version string    `json:"version,omitempty"`
	Signer  string    `json:"signer,omitempty"`
	Source  string    `json:"source,omitempty"`
	At      time.Time `json:"accepted_at"`
	Size    int64     `json:"size"`
}
