package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"
)

// byteOrderMark is what some editors put before a text.
const byteOrderMark = "\ufeff"

// splitLines splits a text as YAML does.
func splitLines(text string) []string {
	return strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(text), "\n")
}

// notText says where a file is no text that YAML can be written in, nil if it is one.
func (d *document) notText(data []byte) *Problem {
	if len(data) > 1 && (data[0] == 0xff && data[1] == 0xfe || data[0] == 0xfe && data[1] == 0xff) {
		return &Problem{Text: "the file is UTF-16 text", Help: "save it as UTF-8"}
	}
	for i, line := range d.lines {
		for at, r := range line {
			p := d.here(i+1, utf8.RuneCountInString(line[:at])+1, 1)
			if r == utf8.RuneError && !strings.HasPrefix(line[at:], "\ufffd") {
				p.Text, p.Help = fmt.Sprintf("the file is not UTF-8 text: here is the byte 0x%02x", line[at]), "save it as UTF-8"
				return p
			}
			if unicode.IsControl(r) && r != '\t' {
				p.Text, p.Help = fmt.Sprintf("the file holds a control character (%U)", r), "remove it, or write it as an escape in double quotes"
				return p
			}
		}
	}
	return nil
}

// here is a problem at a place in the file.
func (d *document) here(line, column, width int) *Problem {
	p := &Problem{Line: max(1, line), Column: max(1, column), width: width}
	p.excerpt = d.line(p.Line)
	return p
}

// syntax words an error of the YAML parser, which speaks of what it expected, and often
// of the line after the one that is wrong.
func (d *document) syntax(err error) []Problem {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		return []Problem{{Text: "this is not YAML: " + err.Error()}}
	}
	if tabs := d.tabs(); strings.Contains(load.Message, "cannot start any token") && tabs != nil && strings.Contains(d.margin(load.Mark.Line), "\t") {
		return tabs
	}
	p := d.here(load.Mark.Line, load.Mark.Column, 1)
	p.Text = "this is not YAML: " + load.Message
	for _, judge := range []func(*Problem, string) bool{d.alias, d.beginning, d.colon, d.following, d.bracket, d.quote, d.smaller} {
		if judge(p, load.Message) {
			break
		}
	}
	return []Problem{*p}
}

// margin is what a line is indented with.
func (d *document) margin(n int) string {
	line := d.line(n)
	return line[:len(line)-len(strings.TrimLeft(line, " \t"))]
}

// tabs are the lines that are indented with tabs.
func (d *document) tabs() (list []Problem) {
	for i := range d.lines {
		margin := d.margin(i + 1)
		if at := strings.IndexByte(margin, '\t'); at >= 0 && strings.TrimSpace(d.lines[i]) != "" {
			p := d.here(i+1, at+1, len(margin)-at)
			p.Text, p.Help = "this line is indented with a tab", "indent with spaces: YAML takes no tabs there"
			list = append(list, *p)
		}
	}
	return list
}

// rest is a line from a column on.
func (d *document) rest(line, column int) string { return from(d.line(line), column) }

// plainWord is what stands at the beginning of a text, up to what ends a plain value.
func plainWord(s string) string {
	return strings.TrimRight(regexp.MustCompile(`^[^,\]}#]*`).FindString(s), " \t")
}

// alias is a value that begins with a star, which most authors mean as it is.
func (d *document) alias(p *Problem, message string) bool {
	if !strings.Contains(message, "unknown anchor") && !strings.Contains(message, "alphabetic or numeric character") {
		return false
	}
	at := p.Column
	if c := d.rest(p.Line, at); !strings.HasPrefix(c, "*") && !strings.HasPrefix(c, "&") {
		before := from(d.line(p.Line), 1)[:0]
		for i, r := range []rune(d.line(p.Line)) {
			if i >= p.Column {
				break
			}
			if before += string(r); r == '*' || r == '&' {
				at = i + 1
			}
		}
	}
	word := plainWord(d.rest(p.Line, at))
	p.Column, p.width = at, len([]rune(word))
	p.Text = fmt.Sprintf("a value that begins with %.1s stands in quotes", word)
	p.Help = fmt.Sprintf("write %q", word)
	if strings.HasPrefix(word, "*:") {
		p.Help = fmt.Sprintf("write %q, which is every address", word[1:])
	}
	return true
}

// beginning is a value that begins with a character that YAML keeps for itself.
func (d *document) beginning(p *Problem, message string) bool {
	word := plainWord(d.rest(p.Line, p.Column))
	switch {
	case strings.Contains(message, "incompatible YAML document"), strings.HasPrefix(d.line(p.Line), "%") && p.Line == 1:
		p.Text, p.Help = "directives (%) are not supported", "remove this line"
		return true
	case !strings.Contains(message, "cannot start any token") || word == "":
		return false
	}
	p.width = len([]rune(word))
	p.Text, p.Help = fmt.Sprintf("a value that begins with %.1s stands in quotes", word), fmt.Sprintf("write %q", word)
	return true
}

// entry matches a line with a key: its margin and dashes, the key, and what follows.
func entry() *regexp.Regexp { return regexp.MustCompile(`^([ \-]*)([A-Za-z_][\w.-]*)(:?)(.*)$`) }

// colon is a colon where none was expected: one within a value, or one that a line
// above lacks, or a line that is indented like no other.
func (d *document) colon(p *Problem, message string) bool {
	if !strings.Contains(message, "mapping values are not allowed") {
		return false
	}
	m := entry().FindStringSubmatch(d.line(p.Line))
	if m != nil && m[3] == ":" && strings.HasPrefix(m[4], " ") && p.Column > len([]rune(m[1]+m[2]))+1 {
		value := strings.TrimSpace(m[4])
		column := len([]rune(m[1]+m[2]+":"+m[4])) - len([]rune(strings.TrimLeft(m[4], " "))) + 1
		if value == "" {
			return false
		}
		if strings.ContainsAny(value[:1], "{[") {
			p.Text, p.Help = "a comma is missing before this key, or a quote around a value that holds a colon", "separate the keys between { and } by commas"
			return true
		}
		p.Column, p.width = column, len([]rune(value))
		p.Text, p.Help = "a value that holds a colon and a space stands in quotes", fmt.Sprintf("write %q", value)
		return true
	}
	for n := p.Line - 1; n >= 1; n-- {
		above := entry().FindStringSubmatch(d.line(n))
		if above == nil {
			continue
		}
		column := len([]rune(above[1])) + 1
		switch {
		case above[3] == "":
			*p = *d.here(n, column, len([]rune(above[2])))
			p.Text, p.Help = fmt.Sprintf("there is no colon behind %q", above[2]), fmt.Sprintf("write %q", above[2]+":")
		case above[4] != "" && !strings.HasPrefix(above[4], " "):
			*p = *d.here(n, column, len([]rune(above[2]+above[3]+above[4])))
			p.Text, p.Help = "there is no space behind the colon", fmt.Sprintf("write %q", above[2]+": "+above[4])
		default:
			d.indented(p, n)
		}
		return true
	}
	return false
}

// indented says that a line is indented like none above; near is one of them.
func (d *document) indented(p *Problem, near int) {
	margin := len(d.margin(p.Line))
	p.Column, p.width = margin+1, 1
	p.Text = "this line is indented like no line above that it could belong to"
	p.Help = fmt.Sprintf("indent it by %d spaces, as line %d", len(d.margin(near)), near)
}

// following is something behind a value that has ended.
func (d *document) following(p *Problem, message string) bool {
	if strings.Contains(message, "expected comment or line break") {
		p.Text, p.Help = "something stands behind | or >", "begin the text in the next line, indented"
		return true
	}
	if !strings.Contains(message, "did not find expected key") && !strings.Contains(message, "did not find expected '-' indicator") {
		return false
	}
	before := []rune(d.line(p.Line))
	before = before[:min(len(before), p.Column-1)]
	trimmed := strings.TrimSpace(string(before))
	switch {
	case trimmed == "":
		for n := p.Line - 1; n >= 1; n-- {
			if margin := len(d.margin(n)); margin > 0 && strings.TrimSpace(d.line(n)) != "" && entry().MatchString(d.line(n)) {
				d.indented(p, n)
				return true
			}
		}
	case strings.HasSuffix(trimmed, "]"), strings.HasSuffix(trimmed, "}"):
		open := strings.LastIndexAny(string(before), "[{")
		if open < 0 {
			return false
		}
		value := strings.TrimSpace(d.line(p.Line)[open:])
		p.Column, p.width = len([]rune(string(before)[:open]))+1, len([]rune(value))
		p.Text, p.Help = "something follows the closing bracket", fmt.Sprintf("if it is one value, write %q", value)
		return true
	case strings.HasSuffix(trimmed, `'`):
		p.Text, p.Help = "the text in quotes has ended before this", "write '' for each ' in such a text, or put it into double quotes"
		return true
	case strings.HasSuffix(trimmed, `"`):
		p.Text, p.Help = "the text in quotes has ended before this", `write \" for each " in such a text, or put it into single quotes`
		return true
	}
	return false
}

// bracket is one that is not closed, or holds what ends it too early.
func (d *document) bracket(p *Problem, message string) bool {
	if !strings.Contains(message, "did not find expected ',' or") && !strings.Contains(message, "unexpected end of stream") && !strings.Contains(message, "node content") {
		return false
	}
	line := []rune(d.line(p.Line))
	if i := p.Column - 1; i > 0 && i < len(line) && line[i] == '{' && line[i-1] == '$' {
		start := i
		for start > 0 && line[start-1] != ' ' && line[start-1] != '[' {
			start--
		}
		word := regexp.MustCompile(`^[^ ,]*`).FindString(string(line[start:]))
		if closing := strings.IndexByte(word, '}'); closing >= 0 {
			word = word[:closing+1]
		}
		p.Column, p.width = start+1, len([]rune(word))
		p.Text, p.Help = "a value with ${...} stands in quotes between { and }", fmt.Sprintf("write %q", word)
		return true
	}
	open, unclosed := d.unclosed(p.Line)
	switch {
	case unclosed == 0 && p.Column <= len(line) && line[p.Column-1] == ':':
		p.Text, p.Help = "a comma is missing before this key", "separate the keys between { and } by commas"
		return true
	case unclosed == 0:
		return false
	}
	*p = *open
	switch unclosed {
	case '{':
		p.Text, p.Help = "a { is not closed", "close it with }, or put a comma between what it holds"
	case '[':
		p.Text, p.Help = "a [ is not closed", "close it with ], or put a comma between what it holds"
	default:
		p.Text, p.Help = fmt.Sprintf("a %c is not closed", unclosed), "close it with another one"
	}
	return true
}

// unclosed finds the innermost bracket or the quote that is open at the end of a line,
// 0 if there is none.
func (d *document) unclosed(line int) (*Problem, rune) {
	type mark struct {
		r            rune
		line, column int
	}
	var open []mark
	var quote mark
	for n := 1; n <= min(line, len(d.lines)); n++ {
		runes := []rune(d.line(n))
		for i := 0; i < len(runes); i++ {
			r := runes[i]
			begins := i == 0 || strings.ContainsRune(" [{,:", runes[i-1])
			switch {
			case quote.r == '"' && r == '\\':
				i++
			case quote.r != 0 && r == quote.r:
				quote = mark{}
			case quote.r != 0:
			case (r == '"' || r == '\'') && begins:
				quote = mark{r, n, i + 1}
			case r == '#' && begins:
				i = len(runes)
			case (r == '{' || r == '[') && begins:
				open = append(open, mark{r, n, i + 1})
			case (r == '}' || r == ']') && len(open) > 0:
				last := open[len(open)-1]
				if closes := map[rune]rune{'{': '}', '[': ']'}[last.r]; closes != r {
					return d.here(last.line, last.column, 1), last.r
				}
				open = open[:len(open)-1]
			}
		}
	}
	if quote.r == 0 && len(open) > 0 {
		quote = open[len(open)-1]
	}
	return d.here(quote.line, quote.column, 1), quote.r
}

// quote is one that is not closed.
func (d *document) quote(p *Problem, message string) bool {
	if !strings.Contains(message, "document indicator") && !strings.Contains(message, "end of stream") {
		return false
	}
	open, unclosed := d.unclosed(p.Line)
	if unclosed == 0 {
		return false
	}
	*p = *open
	p.Text, p.Help = fmt.Sprintf("a %c is not closed", unclosed), "close it with another one"
	return true
}

// smaller are the faults within a text in quotes.
func (d *document) smaller(p *Problem, message string) bool {
	if !strings.Contains(message, "escape character") {
		return false
	}
	line := []rune(d.line(p.Line))
	if i := p.Column - 1; i > 0 && i < len(line) && line[i] != '\\' && line[i-1] == '\\' {
		p.Column--
	}
	p.width = 2
	p.Text, p.Help = fmt.Sprintf("%.2s is no escape of a text in double quotes", string(line[max(0, min(len(line)-1, p.Column-1)):])), `write \\ for each \, or put the text into single quotes`
	return true
}
