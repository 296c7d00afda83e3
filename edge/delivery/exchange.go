package delivery

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// exchange is one request and its answer.
type exchange struct {
	h         *Handler
	w         http.ResponseWriter
	rc        *http.ResponseController
	r         *http.Request
	canonical vfs.Path // what is asked for
	who       credentials

	status int   // of the answer; 0: it has not begun
	bytes  int64 // of a file, that were sent
	fault  error // of sending the answer
}

// begin begins the answer; its header is complete.
func (x *exchange) begin(status int) {
	x.status = status
	x.w.WriteHeader(status)
}

// lost takes note of an error of sending.
func (x *exchange) lost(err error) {
	if x.fault == nil && !errors.Is(err, http.ErrNotSupported) {
		x.fault = err
	}
}

// hurry bounds the time for what is sent next.
func (x *exchange) hurry() {
	x.lost(x.rc.SetWriteDeadline(time.Now().Add(x.h.conf.Stall)))
}

// form is the media type of the answer, of those that there are, that the request likes
// best.
func (x *exchange) form(types ...string) string {
	if x.r.URL.Query().Get("format") == "json" {
		return "application/json"
	}
	return prefers(strings.Join(x.r.Header["Accept"], ","), types...)
}

// answer answers the request.
func (x *exchange) answer() {
	x.greet()
	no := x.understand()
	if no == nil && x.r.Method == http.MethodOptions {
		x.w.Header().Set("Allow", allow)
		x.begin(http.StatusNoContent)
		return
	}
	if no == nil {
		x.who, no = x.h.credentials(x.r)
	}
	for again := true; again && no == nil; {
		again, no = x.carryOut()
	}
	if no != nil && x.status == 0 {
		x.challenge(no)
		x.hurry()
		no.write(x)
	}
}

// allow is the methods that there are.
const allow = "GET, HEAD, OPTIONS"

// greet sets what every answer has.
func (x *exchange) greet() {
	c, h := &x.h.conf, x.w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	if x.r.TLS != nil && c.HSTS > 0 {
		h.Set("Strict-Transport-Security", "max-age="+strconv.FormatInt(int64(c.HSTS/time.Second), 10))
	}
	if x.r.TLS != nil && x.r.ProtoMajor < 3 {
		set(h, "Alt-Svc", c.AltSvc)
	}
	if c.Basic {
		vary(h, "Authorization")
	}
	x.hurry()
}

// understand reads the request, but for its credentials.
func (x *exchange) understand() *problem {
	bodied := x.r.ContentLength > 0 || x.r.ContentLength < 0 && x.r.ProtoMajor < 3 // HTTP/3 knows the end of a request's stream alone
	if bodied {                                                                    // it is not waited for
		if x.r.ProtoMajor < 3 { // which has no such field (RFC 9114 §4.2)
			x.w.Header().Set("Connection", "close")
		}
		x.lost(x.rc.SetReadDeadline(time.Now().Add(time.Second)))
	}
	switch x.r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
	default:
		x.w.Header().Set("Allow", allow)
		return say(http.StatusMethodNotAllowed, "Files can be read here and not be changed.")
	}
	if bodied {
		return say(http.StatusBadRequest, "A request to read has no body.")
	}
	p := x.r.URL.Path
	if x.r.Method == http.MethodOptions && p == "*" {
		return nil
	}
	if p == "" && x.r.URL.Opaque == "" {
		p, x.r.URL.Path = "/", "/" // of an absolute form without a path
	}
	if !strings.HasPrefix(p, "/") || unsayable(p) {
		return say(http.StatusBadRequest, "A path begins with / and holds no CR, LF or NUL.")
	}
	clean, err := vfs.Clean(vfs.Root, p)
	if err != nil {
		return say(http.StatusRequestURITooLong, "That name is too long.")
	}
	x.canonical = clean
	return nil
}

// carryOut has a session carry the request out. It asks to be called again when it turns
// out that the session had ended before; not where a limit has ended it.
func (x *exchange) carryOut() (again bool, no *problem) {
	p, done := x.h.pool(x.r)
	defer done()
	g, no := p.take(x.r.Context(), x.h.digest(x.who), func() (session, *problem) { return x.h.open(x.r, x.who) })
	if no != nil {
		return false, no
	}
	defer p.put(g)
	switch {
	case x.h.asksToLogin(x.r): // and that is done
		x.redirect(http.StatusSeeOther, x.place())
	case strings.HasSuffix(x.r.URL.Path, "/"):
		no = x.list(g)
	default:
		no = x.get(g)
	}
	again = no != nil && no.limit == "" && x.status == 0 && g.old && g.Closed() && x.r.Context().Err() == nil
	if again {
		no = nil
	}
	return again, no
}

// get answers with a file.
func (x *exchange) get(s session) *problem {
	d := &delivering{x: x, body: body{x: x}}
	r := s.Do(x.r.Context(), pi.Errand{Verb: "RETR", Argument: x.r.URL.Path, Port: &port{open: d.open}, Offer: d.offer})
	switch {
	case x.status != 0:
		x.whole(r, d)
		return nil
	case errIs(r, vfs.ErrIsDirectory):
		return x.asDirectory()
	case !done(r) || !d.offered:
		return ofReply(r)
	}
	switch d.answer.status {
	case http.StatusPreconditionFailed:
		return say(d.answer.status, "The file is not the one that the request is meant for.")
	case http.StatusRequestedRangeNotSatisfiable:
		x.w.Header().Set("Content-Range", d.answer.header.Get("Content-Range"))
		return say(d.answer.status, "The file has none of the bytes that were asked for.")
	}
	x.hurry()
	d.begin()
	return nil
}

// done reports whether a command was carried out; a session that has ended has no reply.
func done(r wire.Reply) bool { return !r.IsZero() && r.Positive() }

// whole breaks an answer off that is not whole, so that nobody takes it for the file.
func (x *exchange) whole(r wire.Reply, d *delivering) {
	known := d.answer.header.Get("Content-Length") != ""
	if !done(r) || known && x.bytes != d.answer.size() {
		panic(http.ErrAbortHandler)
	}
	x.hurry() // what is left is on its way
}

// asDirectory leads to the listing of what has turned out to be a directory. The location is
// relative, so that no path can make it another host's.
func (x *exchange) asDirectory() *problem {
	p := x.r.URL.Path
	to := "./" + escaped(p[strings.LastIndexByte(p, '/')+1:]) + "/"
	if x.r.URL.RawQuery != "" {
		to += "?" + x.r.URL.RawQuery
	}
	x.redirect(http.StatusMovedPermanently, to)
	return nil
}

// redirect leads somewhere else, for now.
func (x *exchange) redirect(status int, to string) {
	x.w.Header().Set("Location", to)
	x.w.Header().Set("Cache-Control", "no-cache")
	x.w.Header().Set("Content-Length", "0")
	x.hurry()
	x.begin(status)
}

// list answers with a listing.
func (x *exchange) list(s session) *problem {
	b := &body{x: x}
	l := &lister{start: func() io.Writer { return x.startList(b) }}
	b.take = (&lines{give: l.take}).Write
	kind := x.form("text/html", "application/json")
	x.w.Header().Set("Content-Type", kind)
	if kind == "text/html" {
		x.w.Header().Set("Content-Type", kind+"; charset=utf-8")
		x.w.Header().Set("Content-Security-Policy", x.h.pages.policy)
		l.form = asPage{x.h.pages, x.canonical, x.way()}
	} else {
		l.form = &asJSON{dir: x.canonical}
	}
	r := s.Do(x.r.Context(), pi.Errand{Verb: "MLSD", Argument: x.r.URL.Path, Port: &port{open: func() (net.Conn, error) { return b, nil }}})
	switch {
	case done(r):
		x.lost(l.finish(""))
	case x.status != 0:
		x.lost(l.finish("The rest of this listing could not be read."))
	default:
		x.w.Header().Del("Content-Security-Policy")
		return ofReply(r)
	}
	return nil
}

// startList begins the answer with a listing.
func (x *exchange) startList(b *body) io.Writer {
	h := x.w.Header()
	vary(h, "Accept")
	keep := x.h.conf.cacheControl(string(x.canonical), x.who.anonymous)
	switch keep {
	case "":
		keep = "no-cache" // what is uploaded next is to be seen
	case "private":
		keep = "private, no-cache"
	}
	h.Set("Cache-Control", keep)
	x.begin(http.StatusOK)
	return paced{b}
}

// paced sends a listing, each piece of which has its time.
type paced struct{ *body }

// Write implements io.Writer.
func (p paced) Write(b []byte) (int, error) {
	if err := p.hurry(); err != nil {
		return 0, err
	}
	return p.x.w.Write(b)
}
