package workshop

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// number writes a number with its thousands apart.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// bytesOf writes a size.
func bytesOf(n uint64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}

// duration writes a time in milliseconds.
func duration(ns int64) string {
	return fmt.Sprintf("%.3f ms", float64(ns)/float64(time.Millisecond))
}

// sheet writes what people read: a word, then text. Much of it is the module's word.
type sheet struct {
	w   io.Writer
	err error
}

func (s *sheet) write(text string) {
	if s.err == nil {
		_, s.err = io.WriteString(s.w, text)
	}
}

// line writes one line with a word in front, or several if the text has several.
func (s *sheet) line(indent int, word, format string, v ...any) {
	for i, text := range strings.Split(strings.TrimRight(fmt.Sprintf(format, v...), "\n"), "\n") {
		if i > 0 {
			word = ""
		}
		text = strings.Map(visible, text)
		s.write(strings.TrimRight(fmt.Sprintf("%s%-11s  %s", strings.Repeat(" ", indent), word, text), " ") + "\n")
	}
}

// visible replaces what could move the cursor or hide text.
func visible(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case !unicode.IsPrint(r):
		return '?'
	}
	return r
}

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	s := &sheet{w: w}
	s.line(0, "policy", "%s  %s (%s compressed)%s%s", strings.TrimSpace(r.Name+" "+r.Version), bytesOf(uint64(r.Size)), bytesOf(uint64(r.Packed)), after("abi ", r.ABI), after("", r.How))
	if r.Units != nil {
		r.Units.print(s)
	}
	if len(r.Tests) == 0 {
		s.line(0, "tests", "none: write tests.json beside the source")
	} else {
		s.line(0, "tests", "%d passed, %d failed", r.Passed, r.Failed)
	}
	told := map[string]bool{}
	for i := range r.Tests {
		if !r.Tests[i].Passed {
			r.Tests[i].print(s, told)
		}
	}
	if r.Failed > 0 {
		s.write("\n")
	}
	r.Cover.print(s)
	if r.Budget != nil {
		r.Budget.print(s)
	}
	if r.Fuel != nil {
		r.Fuel.print(s)
	}
	switch {
	case len(r.Tests) == 0:
	case len(r.Differences) == 0:
		s.line(0, "determinism", "the same in two new instances, and in one that has answered before")
	default:
		s.line(0, "determinism", "%s", strings.Join(r.Differences, "\n"))
	}
	return s.err
}

func after(word, text string) string {
	if text == "" {
		return ""
	}
	return "  " + word + text
}

func (u *Units) print(s *sheet) {
	switch {
	case !u.Ran:
		s.line(0, "unit tests", "none")
	case u.Passed:
		s.line(0, "unit tests", "passed")
	default:
		s.line(0, "unit tests", "FAILED\n%s", u.Output)
	}
}

// print writes a test that failed, but for hints that were told before.
func (t *TestResult) print(s *sheet, told map[string]bool) {
	s.write("\n  FAIL  " + strings.Map(visible, t.Name) + "\n")
	s.line(8, "question", "%s", t.Question)
	s.line(8, "want", "%s", t.Want)
	got := brief(t.Got)
	if t.Failure != nil {
		got = word(got) // the next lines tell why
	}
	s.line(8, "got", "%s", got)
	t.Failure.print(s, 8)
	if t.Failure == nil && word(t.Want) == word(t.Got) { // else the two lines tell it
		s.line(8, "problem", "%s", t.Problem)
	}
	for _, line := range t.Log {
		s.line(8, "log", "%s", line)
	}
	for _, line := range t.Requests {
		s.line(8, "asked", "%s", line)
	}
	s.line(8, "fuel", "%s", number(t.Fuel))
	for _, line := range t.Notes {
		s.line(8, "note", "%s", line)
	}
	for _, line := range t.Hints {
		if !told[line] {
			s.line(8, "hint", "%s", line)
		}
		told[line] = true
	}
}

// word is the action that an answer begins with.
func word(answer string) string {
	return answer[:len(answer)-len(strings.TrimLeft(answer, "abcdefghijklmnopqrstuvwxyz"))]
}

func (f *Failure) print(s *sheet, indent int) {
	if f == nil {
		return
	}
	if f.Says != "" {
		s.line(indent, "at", "%s", f.line())
	}
	s.line(indent, f.Cause, "%s", f.Trap)
	for _, frame := range f.Frames {
		if f.Says == "" || !nameless(frame) {
			s.line(indent, "", "in %s", frame)
		}
	}
}

// brief is an answer without the host's words in front of the policy's own, where it
// said that it could not decide.
func brief(got string) string {
	if before, words, ok := strings.Cut(got, ": "+abi.ErrFailed.Error()+": "); ok && strings.HasPrefix(before, "fail: failed in ") {
		return "fail: " + words
	}
	return got
}

// nameless reports whether a function is known by its number alone.
func nameless(frame string) bool {
	n, ok := strings.CutPrefix(frame, "$")
	return ok && strings.Trim(n, "0123456789") == ""
}

func (c *Cover) print(s *sheet) {
	var hooks []string
	for _, h := range c.Hooks {
		hooks = append(hooks, fmt.Sprintf("%s %d", h.Hook, h.Tests))
		if h.Tests == 0 {
			hooks[len(hooks)-1] = h.Hook + " NO TEST"
		}
	}
	s.line(0, "hooks", "%s", strings.Join(hooks, ", "))
	if len(c.Unasked) > 0 {
		s.line(0, "", "no test asks %s", strings.Join(c.Unasked, ", "))
	}
	if len(c.Outside) > 0 {
		s.line(0, "", "outside of the interest, where no server asks: %s", strings.Join(c.Outside, ", "))
	}
	if len(c.Unclean) > 0 {
		s.line(0, "", "a path that is not absolute and clean, as every path of a server is: %s", strings.Join(c.Unclean, ", "))
	}
}

func (b *Budget) print(s *sheet) {
	s.line(0, "budget", "fuel %s of %s (%s)", number(b.Fuel.Value), number(b.Fuel.Limit), b.Fuel.Test)
	s.line(0, "", "time %s of %s (%s)", duration(b.Time.Value), duration(b.Time.Limit), b.Time.Test)
	memory := fmt.Sprintf("memory %s of %s", bytesOf(b.Memory), bytesOf(b.MemoryMax))
	switch k := b.Soak; {
	case k == nil || k.Questions == 0:
	case k.Closed > 0 && k.End == 0:
		memory += ", an instance for each question"
	case k.Closed > 0:
		memory += fmt.Sprintf(", %s questions: %d instances grew too large and were closed", number(int64(k.Questions)), k.Closed)
	case k.Grows:
		memory += fmt.Sprintf(", %s questions: GROWS, %s half-way and %s in the end", number(int64(k.Questions)), bytesOf(k.Half), bytesOf(k.End))
	default:
		memory += fmt.Sprintf(", %s questions: %s, not growing", number(int64(k.Questions)), bytesOf(k.End))
	}
	s.line(0, "", "%s", memory)
}

func (c *FuelCheck) print(s *sheet) {
	switch {
	case c.Written:
		s.line(0, "fuel", "%d tests written to %s, each may cost %v%% more", c.Pinned, c.File, c.Percent)
		return
	case len(c.Beyond) > 0:
		s.line(0, "fuel", "BEYOND what %s pins:\n%s", c.File, strings.Join(c.Beyond, "\n"))
	default:
		s.line(0, "fuel", "within %v%% of %s", c.Percent, c.File)
	}
	if len(c.Less) > 0 {
		s.line(0, "", "less than pinned (--update-fuel): %s", strings.Join(c.Less, ", "))
	}
	if len(c.Unknown) > 0 {
		s.line(0, "", "not pinned (--update-fuel): %s", strings.Join(c.Unknown, ", "))
	}
	if len(c.Gone) > 0 {
		s.line(0, "", "pinned and not there any more: %s", strings.Join(c.Gone, ", "))
	}
}
