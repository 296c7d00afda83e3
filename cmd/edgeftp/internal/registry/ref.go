package registry

import (
	_ "crypto/sha256" // the digests of references
	"net"
	"strings"

	"oras.land/oras-go/v2/registry"
)

// Scheme begins every reference.
const Scheme = "oci://"

// Ref names an artifact in a registry. The zero value names none.
type Ref struct {
	parsed registry.Reference
	tag    string // empty if there is none
	digest string // empty if there is none; it wins over the tag
}

// ParseRef reads oci://HOST[:PORT]/REPOSITORY:TAG, or @DIGEST in the place of the
// tag or behind it. There is no default for the host or the tag. The error never
// repeats what stands before an @ in the host's place, which may be a password.
func ParseRef(text string) (Ref, error) {
	rest, ok := strings.CutPrefix(text, Scheme)
	host, path, slash := strings.Cut(rest, "/")
	switch {
	case !ok:
		return Ref{}, refError(text, "it does not begin with "+Scheme)
	case strings.Contains(host, "@"):
		return Ref{}, &Error{What: "the reference to a registry has a login in it", Needs: form,
			Help: "give --username and --password-file, or log in with docker login"}
	case host == "" || !slash || path == "":
		return Ref{}, refError(text, "host or repository is missing")
	}
	name, digest, pinned := strings.Cut(path, "@")
	repository, tag, tagged := strings.Cut(name, ":")
	if !pinned && !tagged {
		return Ref{}, refError(text, "neither tag nor digest")
	}
	r := Ref{tag: tag, digest: digest}
	// The library drops a tag that a digest follows; it is to have the form of one.
	parts := []string{host + "/" + repository + ":" + tag}
	if !tagged {
		parts[0] = host + "/" + repository
	}
	if pinned {
		parts = append(parts, host+"/"+repository+"@"+digest)
	}
	for _, part := range parts {
		p, err := registry.ParseReference(part)
		if err != nil {
			return Ref{}, refError(text, strings.TrimPrefix(err.Error(), "invalid reference: "))
		}
		if strings.HasSuffix(part, ":") || strings.HasSuffix(part, "@") {
			return Ref{}, refError(text, "tag or digest is empty")
		}
		r.parsed = p
	}
	return r, nil
}

const form = Scheme + "HOST[:PORT]/REPOSITORY:TAG, or @sha256:DIGEST in the place of :TAG"

func refError(text, why string) error {
	if len(text) > 200 {
		text = text[:200] + "..."
	}
	return &Error{What: "that is no reference to a registry", Found: clean(text) + ": " + clean(why), Needs: form}
}

// String returns the reference as [ParseRef] reads it.
func (r Ref) String() string {
	s := Scheme + r.parsed.Registry + "/" + r.parsed.Repository
	if r.tag != "" {
		s += ":" + r.tag
	}
	if r.digest != "" {
		s += "@" + r.digest
	}
	return s
}

// Pinned returns the reference that means the artifact with this digest, whatever
// its tag will mean.
func (r Ref) Pinned(digest string) Ref {
	r.digest, r.parsed.Reference = digest, digest
	return r
}

// Host returns the registry's host and port, as the reference has it.
func (r Ref) Host() string { return r.parsed.Registry }

// Tag returns the tag, empty if there is none.
func (r Ref) Tag() string { return r.tag }

// Base returns the last part of the repository, a name for a file.
func (r Ref) Base() string {
	return r.parsed.Repository[strings.LastIndexByte(r.parsed.Repository, '/')+1:]
}

// Loopback reports whether the registry is on this machine, by its name.
func (r Ref) Loopback() bool { return loopback(r.parsed.Registry) }

// loopback judges a host with or without a port.
func loopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
