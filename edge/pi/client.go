package pi

import (
	"strings"

	"github.com/edgeftp/edgeftp/edge/wire"
)

// maxClient is how long a client's own name may be, in bytes.
const maxClient = 128

// clientName is CLNT: the client program tells its name, for policies and logs.
func clientName(s *Session, a Args) Outcome {
	s.setClient(a.Text)
	return Say(wire.CodeOK, "Noted.")
}

// clientID is CSID (draft-peterson-streamlined-ftp-command-extensions-10 §2.1):
// both sides say what they are. The server's version is nobody's business.
func clientID(s *Session, a Args) Outcome {
	facts := map[string]string{}
	for fact := range strings.SplitSeq(a.Text, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(fact), "=")
		if ok {
			facts[strings.ToLower(name)] = value
		}
	}
	if facts["name"] == "" {
		return Say(wire.CodeBadArgument, "CSID needs Name=...;Version=...;")
	}
	s.setClient(strings.TrimSpace(facts["name"] + " " + facts["version"]))
	return Say(wire.CodeOK, "Name=edgeftp; CaseSensitive=1; DirSep=/;")
}

func (s *Session) setClient(name string) {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(strings.TrimSpace(name), "?"))
	s.who.Client = strings.ToValidUTF8(name[:min(len(name), maxClient)], "")
	s.publish()
}
