package pi

import (
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// permitted asks the policies whether a command may be carried out, where any wants
// to be asked. sent is the command as it came, cmd as its row sees it.
//
// QUIT and ABOR are not asked about, so that no policy keeps anybody from leaving or
// from stopping, nor is what is answered beside a running transfer (NOOP, STAT): the
// transfer was permitted, and none of these waits for a policy that is slow.
func (s *Session) permitted(spec *Spec, sent, cmd wire.Command) error {
	if s.job != nil || spec.Unasked || !s.lease.Asks(policy.StageCmd) {
		return nil
	}
	q := &policy.Command{Meta: s.meta(), Verb: sent.Verb, Arg: sent.Arg}
	if strings.HasPrefix(spec.Verb, site) {
		q.Verb, q.Arg = spec.Verb, cmd.Arg
	}
	if spec.secret() {
		q.Arg = ""
	}
	if s.rank.in {
		q.Dir = string(s.cwd)
	}
	denial := s.lease.Command(s.asks(nil), q)
	if denial == nil {
		return nil
	}
	no := &refused{action: &policy.Action{Meta: q.Meta, Path: q.Dir, Arg: q.Arg}, denial: denial,
		stage: policy.StageCmd, command: q.Verb}
	if !s.rank.in {
		no.code = wire.CodeNotLoggedIn
	}
	return no
}
