package conformance

import (
	"slices"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// exchange is a command of a script and the codes of the reply behind it.
type exchange struct {
	perms policy.Perms // of the user in this dialogue
	arg   string
	codes []string
}

// exchanges finds the commands of one verb that are followed by a reply.
func exchanges(sc script, verb string) []exchange {
	var out []exchange
	for _, d := range sc.dialogues {
		perms := policy.Perms(policy.PermAll)
		for i, st := range d.steps {
			if rest, ok := strings.CutPrefix(st.rest, "perms "); ok && st.word == "server" {
				perms, _ = policy.ParsePerms(rest)
			}
			line, _ := unescape(st.rest)
			arg, ok := cutVerb(line, verb)
			if st.word != "C:" || !ok || i+1 == len(d.steps) || d.steps[i+1].word != "S:" {
				continue
			}
			m := codes.FindStringSubmatch(d.steps[i+1].rest)
			out = append(out, exchange{perms, arg, strings.Split(m[1], "|")})
		}
	}
	return out
}

func cutVerb(line, verb string) (arg string, ok bool) {
	if len(line) < len(verb) || !strings.EqualFold(line[:len(verb)], verb) {
		return "", false
	}
	rest := line[len(verb):]
	if rest == "" {
		return "", true
	}
	return strings.CutPrefix(rest, " ")
}

// TestEveryRowHasAScript asks for one script for each row of the table, named for
// its verb, in which the row succeeds and refuses in each way that the row says
// it can.
func TestEveryRowHasAScript(t *testing.T) {
	all := scripts(t)
	for _, row := range pi.Standard().Rows() {
		t.Run(row.Verb, func(t *testing.T) {
			name := strings.ReplaceAll(row.Verb, " ", "-")
			i := slices.IndexFunc(all, func(s script) bool { return s.name == name })
			if i < 0 {
				t.Fatalf("there is no %s.txt", name)
			}
			checkRow(t, row, exchanges(all[i], row.Verb))
		})
	}
}

func checkRow(t *testing.T, row *pi.Spec, ex []exchange) {
	has := func(what string, is func(exchange) bool) {
		if !slices.ContainsFunc(ex, is) {
			t.Errorf("the script does not show %s", what)
		}
	}
	answered := func(e exchange, code string) bool { return slices.Contains(e.codes, code) }
	if row.Verb != "CCC" && row.Verb != "OPTS" && row.Verb != "QDAT" { // they are there to be refused
		has("success", func(e exchange) bool { return e.codes[0] < "400" })
	}
	switch row.Grammar {
	case pi.NoArg:
		has("an argument too many (501)", func(e exchange) bool { return e.arg != "" && answered(e, "501") })
	case pi.Text, pi.Word, pi.PathArg, pi.Number, pi.TimePath, pi.ModePath:
		has("a missing argument (501)", func(e exchange) bool { return e.arg == "" && answered(e, "501") })
	}
	if row.State == pi.LoggedIn {
		has("that a login is needed (530)", func(e exchange) bool { return answered(e, "530") })
	}
	if row.Needs != pi.MemoryNone {
		has("a wrong sequence (503)", func(e exchange) bool { return answered(e, "503") })
	}
	if row.Lane == pi.Data {
		has("that a data port is needed (425)", func(e exchange) bool { return answered(e, "425") })
	}
	if row.Perm == 0 || row.Needs == pi.MemoryRename { // RNTO shows it by a rule of one directory
		return
	}
	has("a missing permission (550)", func(e exchange) bool { return !e.perms.Has(row.Perm) && answered(e, "550") })
}
