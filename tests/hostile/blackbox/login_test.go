package blackbox

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/tests/peers"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func loginAttacks() []attack {
	return []attack{
		{name: "login-required", row: 23, correct: "nothing is done before the login", try: loginRequired, patient: true},
		{name: "login-wrong", row: 24, correct: "a password that is nearly right is wrong", try: loginWrong, patient: true},
		{name: "login-user-again", row: 25, correct: "USER in a session takes its rights", try: userAgain},
		{name: "login-order", row: 25, correct: "PASS is that of the last USER", try: loginOrder, patient: true},
		{name: "login-tries-bounded", row: 26, correct: "a connection has few tries", try: triesBounded, patient: true},
		{name: "login-brute-force-slowed", row: 27, correct: "connecting again does not make guessing fast", try: bruteForce, patient: true},
		{name: "login-no-lockout-of-victim", row: 28, correct: "guesses of others do not lock a user out", try: noLockout, patient: true},
		{name: "user-enumeration-words", row: 31, correct: "unknown users are answered in the same words", try: enumerationWords, patient: true},
		{name: "user-enumeration-time", row: 31, correct: "and in the same time", try: enumerationTime, long: true},
		{name: "login-odd-strings", row: 32, correct: "names are plain text", try: oddStrings, patient: true},
		{name: "login-many-at-once", row: 33, correct: "many logins at once are all answered", try: manyAtOnce},
	}
}

func loginRequired(t *trial) {
	t.plant("file", "x")
	f := t.cwd + "/file"
	c := t.meet(0)
	n := 1
	for _, line := range []string{"CWD " + t.cwd, "CDUP", "PWD", "RETR " + f, "STOR " + f + "2", "APPE " + f + "2", "STOU", "LIST", "NLST", "MLSD", "MLST " + f, "DELE " + f,
		"MKD " + t.cwd + "/d", "RMD " + t.cwd, "RNFR " + f, "RNTO " + f + "3", "SIZE " + f, "MDTM " + f, "MFMT 20200101000000 " + f, "STAT " + f, "SITE CHMOD 777 " + f,
		"SITE CPFR " + f, "SITE CPTO " + f + "4", "PASV", "EPSV", "PORT 127,0,0,1,200,1", "HASH " + f, "XCRC " + f, "REST 1", "XMKD " + t.cwd + "/d", "SITE SYMLINK " + f + " " + f + "5"} {
		r, err := c.Do(line)
		if err != nil || r.Code == 421 { // so many and no more
			c = t.meet(n)
			n++
			r, err = c.Do(line)
		}
		t.must(err)
		t.check(r.Code >= 400, "%s was answered %q", line, r)
	}
	t.check(t.has("file") && !t.has("d"), "something was done")
}

// guess tries one login from the n-th address and reports whether it succeeded. What
// is no answer to it is an error.
func (t *trial) guess(n int, user, password string) (bool, error) {
	c, err := t.open(n)
	if err != nil {
		return false, err
	}
	defer c.Close()
	c.Timeout = 30 * time.Second
	if r, err := c.Reply(); err != nil || r.Code != 220 {
		return false, nil // turned away
	}
	r, err := c.Do("USER " + user)
	if err != nil || r.Code >= 400 {
		return false, err
	}
	if r.Code == 331 {
		if r, err = c.Do("PASS " + password); err != nil {
			return false, err
		}
	}
	if r.Code >= 400 {
		after, err := c.Do("PWD")
		return err == nil && after.Code == 257, nil
	}
	return true, nil
}

// guesses tries logins at once, each from an address of its own, of which none may
// succeed.
func (t *trial) guesses(pairs [][2]string) {
	wrong := make([]string, len(pairs))
	var all sync.WaitGroup
	for i, p := range pairs {
		all.Go(func() {
			if in, err := t.guess(i, p[0], p[1]); in {
				wrong[i] = fmt.Sprintf("%q logs in with %q", p[0], p[1])
			} else if err != nil && !strings.Contains(err.Error(), "EOF") && !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "pipe") {
				wrong[i] = fmt.Sprintf("%q, %q: %v", p[0], p[1], err)
			}
		})
	}
	all.Wait()
	for _, w := range wrong {
		t.check(w == "", "%s", w)
	}
}

func loginWrong(t *trial) {
	p := peers.OtherPassword
	var pairs [][2]string
	for _, wrong := range []string{"", p[:5], p + "x", strings.ToUpper(p), " " + p, p + " ", "*", "!", peers.Password, p + p, strings.Repeat("x", 400), "$1$ab$dslkcXxVH.x8LwW1W/oAB/"} {
		pairs = append(pairs, [2]string{peers.OtherUser, wrong})
	}
	for _, user := range []string{strings.ToUpper(peers.OtherUser), peers.OtherUser + " ", peers.OtherUser + "x", "root", "nobody", "*", peers.User} {
		pairs = append(pairs, [2]string{user, p})
	}
	t.guesses(pairs)
	c := t.login(50)
	t.inStep(c, "login")
}

func userAgain(t *trial) {
	c := t.login(0)
	r, err := c.Do("USER " + peers.OtherUser)
	if err != nil || r.Code >= 400 {
		return // no second login: the first stands
	}
	for _, line := range []string{"PWD", "SIZE /" + witness, "MKD " + t.cwd + "/d"} {
		r, err := c.Do(line)
		t.check(err != nil || r.Code >= 400, "%s behind USER was answered %q", line, r)
	}
	t.check(!t.has("d"), "the old rights are there")
}

func loginOrder(t *trial) {
	for i, lines := range [][]string{
		{"PASS " + peers.Password},
		{"PASS " + peers.Password, "USER " + peers.User},
		{"USER " + peers.User, "USER " + peers.OtherUser, "PASS " + peers.Password},
	} {
		c := t.meet(i)
		c.Timeout = 30 * time.Second
		var r userpi.Reply
		var err error
		for _, line := range lines {
			if r, err = c.Do(line); err != nil {
				break
			}
		}
		t.check(err != nil || r.Code != 230, "%v logs in", lines)
	}
	c := t.meet(10)
	t.do(c, "USER "+peers.OtherUser, 331)
	r, err := c.Do("USER " + peers.User)
	if err == nil && r.Code == 331 {
		t.do(c, "PASS "+peers.Password, 230)
	}
}

func triesBounded(t *trial) {
	c := t.meet(0)
	c.Timeout = 30 * time.Second
	for i := range 12 {
		r, err := c.Do("USER " + peers.OtherUser)
		if err == nil && r.Code == 331 {
			r, err = c.Do("PASS wrong")
		}
		if err != nil || r.Code == 421 {
			var timeout net.Error
			t.check(!asTimeout(err, &timeout), "try %d: %v", i, err)
			t.check(i <= 6, "closed after %d tries", i)
			return
		}
	}
	t.fail("12 tries on one connection")
}

func bruteForce(t *trial) {
	tries := 4
	if t.full {
		tries = 12
	}
	began := time.Now()
	done := 0
	for range tries {
		if in, err := t.guess(0, peers.OtherUser, "wrong"); err != nil || in {
			break // banned
		}
		done++
	}
	took := time.Since(began)
	if c, err := t.open(0); err == nil {
		c.Timeout = 10 * time.Second
		if r, err := c.Reply(); err != nil || r.Code == 421 {
			return // banned
		}
	}
	t.check(took >= time.Duration(done)*800*time.Millisecond, "%d guesses in %v", done, took)
}

func noLockout(t *trial) {
	var pairs [][2]string
	for range 12 {
		pairs = append(pairs, [2]string{peers.OtherUser, "wrong"})
	}
	t.guesses(pairs)
	began := time.Now()
	in, err := t.guess(300, peers.OtherUser, peers.OtherPassword) // of another network
	t.check(in && err == nil, "the user cannot log in: %v", err)
	t.check(time.Since(began) < 15*time.Second, "it takes the user %v", time.Since(began))
}

func enumerationWords(t *trial) {
	said := map[string]string{}
	for i, user := range []string{peers.OtherUser, "unknown"} {
		c := t.meet(i)
		c.Timeout = 30 * time.Second
		r, err := c.Do("USER " + user)
		t.must(err)
		said[user] = strings.ReplaceAll(r.String(), user, "NAME")
		if r.Code == 331 {
			r, err = c.Do("PASS wrong")
			t.must(err)
			said[user] += " " + strings.ReplaceAll(r.String(), user, "NAME")
		}
	}
	t.check(said[peers.OtherUser] == said["unknown"], "%q and %q", said[peers.OtherUser], said["unknown"])
}

// enumerationTime looks whether one can tell the known user from the unknown one by how
// long the answer takes: the medians differ, and nearly each answer to the one is faster
// than nearly each to the other. Guesses begin one after the other, so that they do not
// wait for each other's hashes.
func enumerationTime(t *trial) {
	const rounds = 24
	took := [2][]time.Duration{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range rounds {
		which := i % 2
		user := []string{peers.OtherUser, "unknown"}[which]
		all.Go(func() {
			began := time.Now()
			_, _ = t.guess(i*200, user, "wrong")
			mu.Lock()
			defer mu.Unlock()
			took[which] = append(took[which], time.Since(began))
		})
		t.pause(170 * time.Millisecond)
	}
	all.Wait()
	faster := 0
	for _, known := range took[0] {
		for _, unknown := range took[1] {
			if known < unknown {
				faster++
			}
		}
	}
	for _, l := range took {
		slices.Sort(l)
	}
	known, unknown := took[0][rounds/4], took[1][rounds/4]
	part := float64(faster) / float64(rounds*rounds/4)
	t.check((known-unknown).Abs() < 20*time.Millisecond || part > 0.1 && part < 0.9,
		"medians are %v for a known user and %v for an unknown one, who waits longer in %.0f %% of pairs", known, unknown, 100*part)
}

func oddStrings(t *trial) {
	var pairs [][2]string
	for _, s := range []string{"%s%n%x%s%n", "' OR '1'='1", "dev'--", "*)(uid=*))(|(uid=*", "$(id)", "`id`", "../../../etc/passwd", "${jndi:ldap://127.0.0.1:1/a}", "%(user)s", "{{7*7}}", strings.Repeat("A", 500), "dev\t", "\\", "\"", "dev@127.0.0.1", "-x", "\xfe\xfd", "~root"} {
		pairs = append(pairs, [2]string{s, peers.Password}, [2]string{s, s})
	}
	t.guesses(pairs)
	t.others(soon)
}

func manyAtOnce(t *trial) {
	many := 60
	if t.full {
		many = 500
	}
	answers := make([]int, many)
	failures := make([]error, many)
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			c, err := t.open(i)
			if err != nil {
				failures[i] = err
				return
			}
			defer c.Close()
			c.Timeout = 45 * time.Second
			r, err := c.Reply()
			for _, line := range []string{"USER " + peers.User, "PASS " + peers.Password} {
				if err == nil && r.Code != 421 {
					r, err = c.Do(line)
				}
			}
			answers[i], failures[i] = r.Code, err
		})
	}
	all.Wait()
	for i, code := range answers {
		t.check(failures[i] == nil && (code == 230 || code == 421), "login %d: %d, %v", i, code, failures[i])
	}
	t.others(soon)
}
