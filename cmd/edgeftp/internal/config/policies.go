package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// Policies are the modules and what holds for all of them.
type Policies struct {
	Trust            []trust.Key
	RequireSignature bool
	AllowDowngrade   bool
	Strict           bool
	Watch            string // a directory, or empty
	History          int    // earlier modules of a slot that are kept
	Rollout          Rollout
	Modules          []Module // in the order in which they are asked
}

// Rollout is how a new module comes into force.
type Rollout struct {
	Percent int           // of the sessions, 1 to 100
	For     time.Duration // 0: with 100 percent, at once and for good
	Limits  edge.TrialLimits
}

type filePolicies struct {
	Trust            []string     `json:"trust"`
	RequireSignature bool         `json:"require_signature"`
	AllowDowngrade   bool         `json:"allow_downgrade"`
	Strict           bool         `json:"strict"`
	Watch            string       `json:"watch,omitempty"`
	History          int          `json:"history"`
	Rollout          fileRollout  `json:"rollout"`
	Modules          []fileModule `json:"modules"`
}

type fileRollout struct {
	Canary     string       `json:"canary"`
	For        textOrNumber `json:"for"`
	RollbackIf struct {
		Failures    int    `json:"failures"`
		ErrorRate   string `json:"error_rate"`
		DenialDrift string `json:"denial_drift"`
		Answers     int    `json:"answers"`
		Slower      int    `json:"slower"`
		P99         string `json:"p99"`
		Samples     int    `json:"samples"`
	} `json:"rollback_if"`
}

func (c *checker) policies(f *file, conf *Config) {
	in, path := &f.Policies, []string{"policies"}
	p := Policies{RequireSignature: in.RequireSignature, AllowDowngrade: in.AllowDowngrade, Strict: in.Strict, History: in.History,
		Rollout: in.Rollout.rollout(), Modules: c.modules(f)}
	if text := strings.Join(in.Trust, "\n"); text != "" {
		p.Trust, _ = trust.ParseKeys(text) // the schema has read each
	}
	if p.RequireSignature && len(in.Trust) == 0 {
		c.at(sub(path, "require_signature"), "no key is trusted, so no signature can be checked", "name public keys of minisign under trust")
	}
	if in.Watch != "" {
		p.Watch = beside(c.dir, in.Watch)
		c.watch(sub(path, "watch"), p.Watch, conf)
	}
	conf.Policies = p
	c.watchSources(conf)
}

// watch checks the directory that modules come from.
func (c *checker) watch(path []string, dir string, conf *Config) {
	if info := c.exists(path, dir, "policy directory"); info == nil {
		return
	} else if !info.IsDir() {
		c.at(path, dir+" is not a directory", "name the directory that modules are put into")
		return
	}
	for _, root := range conf.Roots() {
		if root != "" && within(c.real(root), c.real(dir)) {
			c.at(path, fmt.Sprintf("the policy directory %s lies inside the root %s: clients could put policies there", dir, root), "put it beside the root")
		}
	}
}

func (f *fileRollout) rollout() Rollout {
	percent, _ := parsePercent(f.Canary)
	errors, _ := parsePercent(f.RollbackIf.ErrorRate)
	drift, _ := parsePercent(f.RollbackIf.DenialDrift)
	r := &f.RollbackIf
	return Rollout{Percent: int(percent), For: f.For.duration(), Limits: edge.TrialLimits{
		Failures: never(r.Failures), FailureRate: never(errors), Drift: never(drift), MinAnswers: r.Answers,
		Slower: never(float64(r.Slower)), Latency: duration(r.P99), MinSamples: r.Samples}}
}

// never turns the file's zero into edge's, where zero is a default.
func never[T int | float64](v T) T {
	if v == 0 {
		return -1
	}
	return v
}

func (p *Policies) file() filePolicies {
	l := &p.Rollout.Limits
	f := filePolicies{Trust: []string{}, RequireSignature: p.RequireSignature, AllowDowngrade: p.AllowDowngrade, Strict: p.Strict,
		Watch: p.Watch, History: p.History, Modules: []fileModule{},
		Rollout: fileRollout{Canary: formatPercent(float64(p.Rollout.Percent)), For: written(p.Rollout.For)}}
	for _, k := range p.Trust {
		f.Trust = append(f.Trust, k.String())
	}
	r := &f.Rollout.RollbackIf
	r.Failures, r.Answers, r.Slower, r.Samples = max(l.Failures, 0), l.MinAnswers, max(int(l.Slower), 0), l.MinSamples
	r.ErrorRate, r.DenialDrift, r.P99 = formatPercent(l.FailureRate), formatPercent(l.Drift), formatDuration(l.Latency)
	for i := range p.Modules {
		f.Modules = append(f.Modules, p.Modules[i].file())
	}
	return f
}

// parsePercent reads a share such as 5% or 0.5%.
func parsePercent(s string) (float64, error) {
	const help = "write it like 5% or 0.5%"
	digits, ok := strings.CutSuffix(s, "%")
	n, err := strconv.ParseFloat(digits, 64)
	switch {
	case err == nil && !ok:
		return 0, fault{"has no unit", "write " + digits + "%"}
	case err != nil || strings.Trim(digits, "0123456789.") != "":
		return 0, fault{"is no share", help}
	case n > 100:
		return 0, fault{"is more than all", help}
	}
	return n, nil
}

func formatPercent(n float64) string {
	return strconv.FormatFloat(max(n, 0), 'f', -1, 64) + "%"
}

// ParseCanary reads the share of the sessions that a candidate judges, such as 5%,
// and returns the number before the sign.
func ParseCanary(s string) (int, error) {
	n, err := parsePercent(s)
	if err == nil {
		err = checkCanary(s)
	}
	var f fault
	if errors.As(err, &f) {
		return 0, fmt.Errorf("%q %s; %s", s, f.what, f.help)
	}
	return int(n), nil
}

func checkCanary(s string) error {
	n, err := parsePercent(s)
	switch {
	case err != nil:
		return err
	case n != math.Trunc(n) || n < 1:
		return fault{"is no whole percentage from 1 to 100", "write it like 5%"}
	}
	return nil
}

// checkMemory is a size that an instance can have.
func checkMemory(s string) error {
	n, err := parseSize(s)
	switch {
	case err != nil:
		return err
	case n < 64<<10 || n > 1<<30:
		return fault{"is no possible size of an instance", "64KiB to 1GiB are"}
	}
	return nil
}

// checkKeys never repeats the text, which may be a secret key.
func checkKeys(s string) error {
	if _, err := trust.ParseKeys(s); err != nil {
		return fault{"is no public key: " + err.Error(), `edgeftp policy keygen makes keys; write the line of the .pub file that begins with RW, or "${file:NAME.pub}"`}
	}
	return nil
}

func checkDigest(s string) error {
	if _, err := trust.ParseDigest(s); err != nil {
		return fault{"is no digest", "write sha256: and 64 hexadecimal digits, as sha256sum shows them"}
	}
	return nil
}

func checkOrigin(s string) error {
	if err := wasmhost.CheckOrigin(s); err != nil {
		return fault{err.Error(), "write it like https://api.example.com, api.example.com:8443 or *.example.com"}
	}
	return nil
}

// checkSpace is a name that a manifest can have for a space of the key-value store.
func checkSpace(s string) error {
	if s == AnySpace {
		return nil
	}
	if s == "" || len(s) > 64 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
		return fault{"is no name of a space", "use 1 to 64 lower-case letters, digits, dots, underscores and dashes, or * for each"}
	}
	return nil
}

// AnySpace stands in Grants.Spaces for every space.
const AnySpace = "*"
