package policy

import "context"

// Certifier decides for which names certificates may be ordered when a client
// asks for one (stage "cert").
type Certifier interface {
	// Certify answers for one name. Only Verdict and Text of the answer count; Hide
	// is Deny, Rewrite a failure. As with a login only Allow grants: no opinion
	// from anybody is a refusal. An error refuses; its text is for the log.
	Certify(ctx context.Context, request *CertRequest) (Answer, error)
}

// CertRequest is the question of the cert stage: may this name get a certificate
// on demand? The session tells where it came from; it has no ID and no user.
type CertRequest struct {
	Meta
	Name string // host name in lower case, as the client sent it in SNI
}
