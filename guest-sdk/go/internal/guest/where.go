package guest

import (
	"runtime"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// At puts the place in the author's source that the call came from in front of text.
func At(text string) string {
	if place := authors(); place != "" {
		return place + ": " + text
	}
	return text
}

// authors is the place of the innermost call outside the SDK and the runtime, empty if
// there is none.
func authors() string {
	var pc [64]uintptr
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc[:])])
	for {
		f, more := frames.Next()
		sdk := strings.Contains(f.Function, "guest-sdk/go.") || strings.Contains(f.Function, "guest-sdk/go/") && !strings.Contains(f.Function, "_test.")
		if f.File != "" && !sdk && !strings.HasPrefix(f.Function, "runtime.") {
			file := f.File
			if strings.HasPrefix(f.Function, "main.") {
				file = file[strings.LastIndexByte(file, '/')+1:]
			}
			return file + ":" + strconv.Itoa(f.Line)
		}
		if !more {
			return ""
		}
	}
}

// unset says which stages are linked without a policy, nothing if there are none.
func (g *Guest) unset() string {
	h := g.Hooks()
	set := [abi.NumHooks]bool{abi.HookAuth: h.Authenticator != nil, abi.HookFS: h.Authorizer != nil, abi.HookList: h.Lister != nil,
		abi.HookCmd: h.Commander != nil, abi.HookSite: h.Site != nil, abi.HookThrottle: h.Throttler != nil,
		abi.HookData: h.Filter != nil, abi.HookEvent: h.Observer != nil, abi.HookCert: h.Certifier != nil}
	for i, linked := range g.linked {
		if name := abi.Hook(i).String(); linked && !set[i] {
			return "guest-sdk/go/" + name + " is imported, and no policy was given to " + name +
				".Export or edgeftp.Export: call it in init (main is never run)"
		}
	}
	return ""
}
