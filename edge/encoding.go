package edge

import "github.com/edgeftp/edgeftp/edge/internal/charset"

// Encoding is how clients write names, and how names and replies are written to
// them. The zero value is UTF-8 (RFC 2640), in which bytes that are not UTF-8 pass
// as they are, so that no file is out of reach.
type Encoding struct {
	// Name is the charset's IANA name, such as "ISO-8859-1"; empty is UTF-8. One in
	// which ASCII is not itself, such as UTF-16, is refused.
	Name string
	// OnError says what becomes of bytes that are not of the charset: "keep" (with
	// UTF-8 alone, and its default), "replace" (by U+FFFD, the model's default),
	// "strict" (the command is answered 501; the default of all others, because two
	// names must not become one), or "ignore".
	OnError string
}

// Check reports what keeps the encoding from being used: an unknown name, a charset
// that cannot carry FTP, a mode that does not go with it.
func (e Encoding) Check() error {
	_, err := e.charset()
	return err
}

// charset makes what the name and the mode stand for.
func (e Encoding) charset() (*charset.Charset, error) {
	name := e.Name
	if name == "" {
		name = "UTF-8"
	}
	mode := charset.Keep
	if e.OnError != "" {
		var err error
		if mode, err = charset.ParseMode(e.OnError); err != nil {
			return nil, err
		}
	} else if c, err := charset.New(name, charset.Strict); err == nil && !c.UTF8() {
		mode = charset.Strict
	}
	return charset.New(name, mode)
}
