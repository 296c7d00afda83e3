package guests

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/policy/policytest"
	"github.com/edgeftp/edgeftp/policies/accesslog"
	"github.com/edgeftp/edgeftp/policies/anonymous"
	"github.com/edgeftp/edgeftp/policies/antiflood"
	"github.com/edgeftp/edgeftp/policies/quota"
	"github.com/edgeftp/edgeftp/policies/users"
)

// contains looks in an error and in what it wraps: a refusal's summary alone does
// not say what was found.
func contains(err error, text string) bool {
	return strings.Contains(fmt.Sprintf("%v %+v", err, err), text)
}

func must[P policy.Policy](t *testing.T) func(p P, err error) policy.Policy {
	return func(p P, err error) policy.Policy {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
}

// of is the session of a user at an address.
func of(user, from string) policy.Meta {
	s := &policy.Session{ID: 7, User: user, Group: "staff", Root: "/", Peer: netip.AddrPortFrom(netip.MustParseAddr(from), 40000)}
	return policy.Meta{Session: s, Request: 1, Time: noon}
}

func login(name, user string, want policy.Verdict) policytest.Case {
	return policytest.Case{Name: name, Login: &policy.Login{Meta: of(user, "192.0.2.7")}, Want: want}
}

// digest is that of the certificate which policytest's session with every fact has
// shown.
const digest = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"

const hash = "$2b$10$abcdefghijklmnopqrstuuFaqwrJxC5z0Yb8fqEkr0nOkvhdcLuOm"

func usersForm() form {
	shown := of("robot", "192.0.2.7")
	shown.Session.TLS = policy.TLS{Version: "1.3", ClientSubject: "CN=robot", ClientSHA256: digest}
	late := of("anna", "192.0.2.7")
	late.Time = noon.Add(100 * 24 * time.Hour)
	strict, older := of("robot3", "192.0.2.7"), of("robot3", "192.0.2.7")
	strict.Session.TLS, older.Session.TLS = shown.Session.TLS, shown.Session.TLS
	older.Session.TLS.Version = "1.2"
	return form{
		name: "users",
		settings: `{"users": [{"name": "anna", "password_hash": "` + hash + `", "perm": "elradfmwMT",
			"rules": [{"dir": "/in", "perm": "w", "recursive": true}, {"dir": "/ä", "perm": ""}], "home": "/home", "group": "staff",
			"bandwidth": {"down": 1000, "up": 2000}, "max_file_size": 1099511627776, "data_tls": true, "max_sessions": 3,
			"expires": "2027-01-01T01:00:00+01:00", "tls": {"session_reuse": false, "close_notify": false},
			"msg_login": "Good day, ä.", "msg_quit": "Bye."},
			{"name": "bob", "password_hash": "` + hash + `"},
			{"name": "robot", "certificates": ["` + digest + `"], "perm": "w", "tls": {"close_notify": false}},
			{"name": "near", "password_hash": "` + hash + `", "networks": ["192.0.2.0/24", "2001:db8::/32"]}, {"name": "far", "password_hash": "` + hash + `", "networks": ["10.0.0.0/8"]},
			{"name": "tls", "password_hash": "` + hash + `", "tls": {"required": true}}, {"name": "robot3", "password_hash": "` + hash + `", "tls": {"min_version": "1.3", "client_certificate": true}}]}`,
		native: func(t *testing.T, _ policy.KV) policy.Policy {
			return must[*users.Policy](t)(users.New(users.Config{Users: []users.User{
				{Name: "anna", PasswordHash: hash, Perms: policy.PermAll,
					Rules: []policy.PathRule{{Dir: "/in", Perms: policy.PermWrite, Recursive: true}, {Dir: "/ä"}}, Home: "/home", Group: "staff",
					Limits: policy.Limits{RateDown: 1000, RateUp: 2000, MaxFileSize: 1 << 40, DataTLS: true}, MaxSessions: 3,
					Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), Lenient: policy.Lenience{Resumption: true, CloseNotify: true},
					MsgLogin: "Good day, ä.", MsgQuit: "Bye."},
				{Name: "bob", PasswordHash: hash},
				{Name: "robot", Certificates: []string{digest}, Perms: policy.PermWrite, Lenient: policy.Lenience{CloseNotify: true}},
				{Name: "near", PasswordHash: hash, Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}},
				{Name: "far", PasswordHash: hash, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
				{Name: "tls", PasswordHash: hash, TLS: users.Protection{Required: true}},
				{Name: "robot3", PasswordHash: hash, TLS: users.Protection{MinVersion: "1.3", Certificate: true}},
			}}))
		},
		cases: []policytest.Case{
			login("everything set", "anna", policy.Allow),
			login("nothing set", "bob", policy.Allow),
			login("without the certificate", "robot", policy.Pass),
			{Name: "with it", Login: &policy.Login{Meta: shown, Early: true}, Want: policy.Allow},
			{Name: "expired", Login: &policy.Login{Meta: late}, Want: policy.Pass},
			login("nobody", "", policy.Pass),
			login("in a network of his", "near", policy.Allow),
			login("in none of his networks, which is the server's to say", "far", policy.Allow),
			login("in the clear", "tls", policy.Deny),
			{Name: "over TLS 1.3 with a certificate", Login: &policy.Login{Meta: strict}, Want: policy.Allow},
			{Name: "over TLS 1.2", Login: &policy.Login{Meta: older}, Want: policy.Deny},
			login("somebody", "mallory", policy.Pass),
		},
	}
}

func anonymousForm() form {
	return form{
		name: "anonymous",
		settings: `{"perm": "elrw", "allow_write": true, "home": "/pub", "max_sessions": 10, "bandwidth": {"down": 1, "up": 2},
			"max_file_size": 3, "data_tls": true, "msg_login": "Hi.", "msg_quit": "Bye."}`,
		native: func(t *testing.T, _ policy.KV) policy.Policy {
			return must[*anonymous.Policy](t)(anonymous.New(anonymous.Config{Perms: policy.PermReadOnly | policy.PermWrite, AllowWrite: true,
				Home: "/pub", MaxSessions: 10, Limits: policy.Limits{RateDown: 1, RateUp: 2, MaxFileSize: 3, DataTLS: true}, MsgLogin: "Hi.", MsgQuit: "Bye."}))
		},
		cases: []policytest.Case{
			login("anonymous", "anonymous", policy.Allow),
			login("another", "Anonymous", policy.Pass),
			login("nobody", "", policy.Pass),
		},
	}
}

func quotaForm() form {
	return form{
		name: "quota",
		settings: `{"each": {"bytes": 1000, "files": 10, "day_bytes": 5000, "month_files": 50},
			"users": {"bob": {"day_files": 3, "month_bytes": 4000}, "robot": {}}, "groups": {"staff": {"bytes": 1500}}}`,
		native: func(t *testing.T, space policy.KV) policy.Policy {
			return must[*quota.Policy](t)(quota.New(quota.Config{KV: space,
				Each:   quota.Limits{Bytes: 1000, Files: 10, DayBytes: 5000, MonthFiles: 50},
				Users:  map[string]quota.Limits{"bob": {DayFiles: 3, MonthBytes: 4000}, "robot": {}},
				Groups: map[string]quota.Limits{"staff": {Bytes: 1500}}}))
		},
		cases: quotaCases(),
	}
}

// quotaCases are a few uploads, each asked about, charged, settled and told of.
func quotaCases() []policytest.Case {
	anna, bob, other := of("anna", "192.0.2.7"), of("bob", "192.0.2.7"), of("anna", "192.0.2.7")
	other.Session.VHost = "shop" // there anna is somebody else
	cases := []policytest.Case{
		{Name: "at the start", Action: &policy.Action{Meta: anna, Op: policy.OpWrite, Path: "/a", A: -1}, Want: policy.Pass},
		{Name: "announced too much", Action: &policy.Action{Meta: anna, Op: policy.OpWrite, Path: "/a", A: 1001}, Want: policy.Deny},
		{Name: "committed too much", Action: &policy.Action{Meta: anna, Op: policy.OpCommit, Path: "/a", A: 1001}, Want: policy.Deny},
		{Name: "the command", Site: &policy.SiteCall{Meta: anna, Verb: "QUOTA", Dir: "/"}, Want: policy.Allow},
		{Name: "the command with an argument", Site: &policy.SiteCall{Meta: anna, Verb: "QUOTA", Arg: "x", Dir: "/"}, Want: policy.Deny},
	}
	for i, end := range []policy.EventKind{policy.EventFileReceived, policy.EventIncompleteFileReceived, policy.EventFileReceived, policy.EventFileDeleted} {
		for _, m := range []policy.Meta{anna, bob, other} {
			m.Request = uint64(i + 2)
			path, size := fmt.Sprintf("/%d", i), int64(300+i)
			if end != policy.EventFileDeleted {
				cases = append(cases, policytest.Case{Action: &policy.Action{Meta: m, Op: policy.OpCommit, Path: path, A: size, Exists: i == 2, Size: 100}})
			}
			cases = append(cases, policytest.Case{Event: &policy.Event{Meta: m, Kind: end, Path: path, Size: size}},
				policytest.Case{Site: &policy.SiteCall{Meta: m, Verb: "QUOTA", Dir: "/"}},
				policytest.Case{Action: &policy.Action{Meta: m, Op: policy.OpWrite, Path: "/next", A: -1, Exists: true, Size: 5}})
		}
	}
	return cases
}

func antifloodForm() form {
	return form{
		name: "antiflood",
		settings: `{"failures": 3, "network_failures": 6, "user_failures": 8, "window_seconds": 60, "ban_seconds": 3600, "pause_seconds": 2,
			"session_commands": 4, "address_commands": 20, "flood_ban": true}`,
		native: func(t *testing.T, space policy.KV) policy.Policy {
			return must[*antiflood.Policy](t)(antiflood.New(antiflood.Config{KV: space, Failures: 3, NetworkFailures: 6, UserFailures: 8,
				Window: time.Minute, Ban: time.Hour, Pause: 2 * time.Second, SessionCommands: 4, AddressCommands: 20, FloodBan: true}))
		},
		cases: antifloodCases(),
	}
}

// antifloodCases guess from a few addresses and of a few users, and flood.
func antifloodCases() []policytest.Case {
	cases := []policytest.Case{
		login("a first login", "anna", policy.Pass),
		{Name: "a first command", Command: &policy.Command{Meta: of("anna", "192.0.2.7"), Verb: "NOOP"}, Want: policy.Pass},
	}
	for i := range 60 {
		form := []string{"192.0.2.%d", "198.51.100.%d", "2001:db8:0:%d::1"}[i%3]
		m := of([]string{"anna", "bob", "carl"}[i%3], fmt.Sprintf(form, i/9+1))
		m.Session.VHost = []string{"", "shop"}[i%2]
		cases = append(cases, policytest.Case{Login: &policy.Login{Meta: m}},
			policytest.Case{Event: &policy.Event{Meta: m, Kind: policy.EventLoginFailed, Text: "no policy has granted it"}},
			policytest.Case{Command: &policy.Command{Meta: m, Verb: "NOOP", Dir: "/"}})
	}
	return cases
}

func accesslogForm() form {
	return form{
		name:     "accesslog",
		settings: `{"format": "json", "commands": true}`,
		native: func(t *testing.T, _ policy.KV) policy.Policy {
			return must[*accesslog.Log](t)(accesslog.New(accesslog.Config{Format: accesslog.JSON, Commands: true, Sink: func([]byte) error { return nil }}))
		},
		cases: []policytest.Case{
			{Name: "a download", Event: &policy.Event{Meta: of("anna", "192.0.2.7"), Kind: policy.EventFileSent, Path: "/a b", Size: 5}},
			{Name: "a command", Event: &policy.Event{Meta: of("anna", "192.0.2.7"), Kind: policy.EventCommandDone, Text: "NOOP", Code: 200}},
		},
	}
}
