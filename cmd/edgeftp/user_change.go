package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge"
)

// userFlags are the settings of a user as flags. Those that were not given change nothing,
// and an empty one takes the setting away.
type userFlags struct {
	settings string
	texts    map[string]*string
	numbers  map[string]*int64
	certs    []string
	networks []string
	denied   []string
	folders  []string
	tls      bool
}

// userKey says for which key of users.list a flag stands.
type userKey struct{ flag, section, key, help string }

func userTexts() []userKey {
	return []userKey{
		{"perm", "", "perm", "permission letters, such as elr or elradfmwMT"},
		{"root", "", "root", "directory of the server's machine that is the user's whole tree"},
		{"home", "", "home", "virtual directory in which sessions start"},
		{"group", "", "group", "word by which groups in the configuration and policies know the user"},
		{"quota", "quota", "bytes", "how much may be stored, such as 50GB"},
		{"down", "bandwidth", "down", "bytes a second of downloads, such as 5MB"},
		{"up", "bandwidth", "up", "bytes a second of uploads, such as 5MB"},
		{"max-file-size", "", "max_file_size", "the largest file that may be stored, such as 1GB"},
		{"umask", "", "umask", "what new files and directories may not be, in octal digits such as 007"},
		{"expires", "", "expires", "date or time from which on the user is not known, such as 2027-01-31"},
		{"note", "", "note", "a line for those who look after the users"},
	}
}

func userNumbers() []userKey {
	return []userKey{
		{"quota-files", "quota", "files", "how many files may be stored; 0 takes the limit away"},
		{"max-sessions", "", "max_sessions", "sessions at once; 0 takes the limit away"},
	}
}

func (f *userFlags) define(cmd *cobra.Command) {
	f.texts, f.numbers = map[string]*string{}, map[string]*int64{}
	for _, k := range userTexts() {
		f.texts[k.flag] = cmd.Flags().String(k.flag, "", k.help)
	}
	for _, k := range userNumbers() {
		f.numbers[k.flag] = cmd.Flags().Int64(k.flag, 0, k.help)
	}
	cmd.Flags().StringArrayVar(&f.certs, "certificate", nil, "SHA-256 digest of a client certificate that needs no password; repeatable")
	cmd.Flags().StringArrayVar(&f.networks, "network", nil, "network or address that the user may log in from, such as 10.0.0.0/8; repeatable, and all that there are; empty for those of the group or of users.defaults, or anywhere")
	cmd.Flags().StringArrayVar(&f.denied, "deny-network", nil, "network or address that the user may not log in from, also where --network has it; repeatable, and all that there are; empty for none")
	cmd.Flags().StringArrayVar(&f.folders, "folder", nil, "PATH=DIRECTORY of the server's machine that is seen at PATH, with ,read-only or ,perm=LETTERS behind it; repeatable, and all that there are; empty for none")
	cmd.Flags().BoolVar(&f.tls, "require-tls", false, "let the user log in over TLS alone, and protect the data connections; =false leaves both to the group and users.defaults, or to the listener")
	cmd.Flags().StringVar(&f.settings, "settings", "", "a JSON object with any keys of users.list, such as '{\"rules\": [{\"dir\": \"/in\", \"perm\": \"elw\"}]}'")
}

// made are the keys that the flags stand for, nil for those that are to go.
func (f *userFlags) made(cmd *cobra.Command) (map[string]any, error) {
	m := map[string]any{}
	if f.settings != "" {
		d := json.NewDecoder(bytes.NewReader([]byte(f.settings)))
		d.UseNumber()
		if err := d.Decode(&m); err != nil || m == nil {
			at, says := brokenJSON([]byte(f.settings))
			return nil, fmt.Errorf("--settings is no JSON object: %s %s\n   = help: write one such as '{\"max_sessions\": 3}'", at, says)
		}
	}
	set := func(k userKey, value any) {
		into := m
		if k.section != "" {
			inner, _ := m[k.section].(map[string]any)
			if inner == nil {
				inner = map[string]any{}
			}
			m[k.section], into = inner, inner
		}
		into[k.key] = value
	}
	for _, k := range userTexts() {
		value := *f.texts[k.flag]
		switch {
		case !cmd.Flags().Changed(k.flag):
		case value == "":
			set(k, nil)
		case k.flag == "root":
			abs, err := filepath.Abs(value)
			if err != nil {
				return nil, err
			}
			set(k, abs)
		default:
			set(k, value)
		}
	}
	for _, k := range userNumbers() {
		if n := *f.numbers[k.flag]; cmd.Flags().Changed(k.flag) && n != 0 {
			set(k, n)
		} else if cmd.Flags().Changed(k.flag) {
			set(k, nil)
		}
	}
	if cmd.Flags().Changed("certificate") {
		m["certificates"] = f.certs
	}
	if cmd.Flags().Changed("network") {
		m["networks"] = withoutEmpty(f.networks)
	}
	if cmd.Flags().Changed("deny-network") {
		m["deny_networks"] = withoutEmpty(f.denied)
	}
	if cmd.Flags().Changed("require-tls") {
		var value any
		if f.tls {
			value = "required"
		}
		set(userKey{section: "tls", key: "control"}, value)
		set(userKey{section: "tls", key: "data"}, value)
	}
	if cmd.Flags().Changed("folder") {
		folders := []map[string]any{}
		for _, text := range withoutEmpty(f.folders) {
			made, err := folderFlag(text)
			if err != nil {
				return nil, err
			}
			folders = append(folders, made)
		}
		m["folders"] = folders
	}
	return m, nil
}

// withoutEmpty are the values of a flag that are not empty: an empty one takes all away.
func withoutEmpty(list []string) []string {
	return slices.DeleteFunc(append([]string{}, list...), func(s string) bool { return s == "" })
}

// folderFlag reads PATH=DIRECTORY, and what stands behind it.
func folderFlag(text string) (map[string]any, error) {
	const help = "\n   = help: write it like /projects=/srv/projects, /projects=/srv/projects,read-only or /projects=/srv/projects,perm=elr"
	path, rest, found := strings.Cut(text, "=")
	if !found {
		return nil, fmt.Errorf("--folder %s: there is no = in it%s", text, help)
	}
	made := map[string]any{"path": path}
	for { // a directory may have commas in its name
		i := strings.LastIndexByte(rest, ',')
		if i < 0 {
			break
		}
		letters, perm := strings.CutPrefix(rest[i+1:], "perm=")
		if !perm && rest[i+1:] != "read-only" {
			break
		}
		if perm {
			made["perm"] = letters
		} else {
			made["read_only"] = true
		}
		rest = rest[:i]
	}
	if rest == "" {
		return nil, fmt.Errorf("--folder %s: there is no directory in it%s", text, help)
	}
	dir, err := filepath.Abs(rest)
	made["root"] = dir
	return made, err
}

// passwordFlags say where a password comes from.
type passwordFlags struct {
	file     string
	generate bool
}

func (p *passwordFlags) define(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.file, "password-file", "", "file whose first line is the password, - for standard input (default: it is asked for)")
	cmd.Flags().BoolVar(&p.generate, "generate", false, "make a password up, and print it once")
}

// hash gets a password and returns its hash. A made-up one is returned too.
func (p *passwordFlags) hash(cmd *cobra.Command, name string) (hash, made string, err error) {
	password := ""
	switch {
	case p.generate && p.file != "":
		return "", "", exitWith(exitUsage, errors.New("--generate and --password-file exclude each other"))
	case p.generate:
		made = config.MakeUpPassword()
		password = made
	case p.file == "-":
		password, err = linePassword("--password-file", "standard input", cmd.InOrStdin())
	case p.file != "":
		password, err = filePassword("--password-file", p.file)
	default:
		if password, err = askPassword(cmd.Context(), cmd.ErrOrStderr(), fmt.Sprintf("password of %s: ", oneLine(name)), true); errors.Is(err, errNoTerminal) {
			err = fmt.Errorf("%w; --generate makes one up", err)
		}
	}
	if err != nil {
		return "", "", exitWith(exitFailed, err)
	}
	hash, err = edge.HashPassword(password)
	return hash, made, exitWith(exitFailed, err)
}

// generated is what a command prints that has made a password up.
type generated struct {
	control.User
	Generated string `json:"generated_password,omitempty"`
}

func (a *userAdmin) addCommand() *cobra.Command {
	var f userFlags
	var p passwordFlags
	var bare, disabled bool
	cmd := &cobra.Command{Use: "add NAME", Short: "Add a user", Args: cobra.ExactArgs(1),
		Long: "Adds a user to the store. What no flag says is as users.defaults of the configuration has it."}
	f.define(cmd)
	p.define(cmd)
	cmd.Flags().BoolVar(&bare, "no-password", false, "the user has client certificates alone")
	cmd.Flags().BoolVar(&disabled, "disabled", false, "refuse the logins until the user is enabled")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		entry, err := f.made(cmd)
		if err != nil {
			return exitWith(exitUsage, err)
		}
		if err := a.form(); err != nil { // before anybody types a password
			return err
		}
		entry["name"] = args[0]
		if disabled {
			entry["disabled"] = true
		}
		made := ""
		if !bare {
			var hash string
			if hash, made, err = p.hash(cmd, args[0]); err != nil {
				return err
			}
			entry["password_hash"] = hash
		}
		text, err := json.Marshal(entry)
		if err != nil {
			return exitWith(exitFailed, err)
		}
		return a.with(cmd, func(k control.Accounts) (any, error) {
			all, err := k.AddUsers(control.NewUsers{Users: []json.RawMessage{text}})
			if err == nil && len(all) != 1 {
				err = errors.New("the server does not say whom it has added")
			}
			if err != nil {
				return nil, err
			}
			return generated{all[0], made}, nil
		}, func(w io.Writer, got any) { printMade(w, "added", got.(generated)) })
	}
	return cmd
}

func (a *userAdmin) setCommand() *cobra.Command {
	var f userFlags
	var end bool
	cmd := &cobra.Command{Use: "set NAME", Short: "Change what a user may, from the next login on", Args: cobra.ExactArgs(1),
		Long: "Changes the settings for which flags are given; an empty value takes one away, so that users.defaults holds again."}
	f.define(cmd)
	cmd.Flags().BoolVar(&end, "end-sessions", false, "end the user's sessions, so that it holds at once")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		m, err := f.made(cmd)
		if err == nil && len(m) == 0 {
			err = errors.New("nothing is to be changed\n   = help: edgeftp user set --help lists the flags")
		}
		if err != nil {
			return exitWith(exitUsage, err)
		}
		text, err := json.Marshal(m)
		if err != nil {
			return exitWith(exitFailed, err)
		}
		return a.with(cmd, func(k control.Accounts) (any, error) {
			return k.ChangeUser(args[0], control.UserChange{Settings: text, End: end})
		}, func(w io.Writer, got any) { printDone(w, "changed", got.(control.User)) })
	}
	return cmd
}

func (a *userAdmin) passwdCommand() *cobra.Command {
	var p passwordFlags
	var end bool
	cmd := &cobra.Command{Use: "passwd NAME", Short: "Give a user a new password", Args: cobra.ExactArgs(1),
		Long: "Gives a user a new password, which holds from the next login on. Sessions that run go on, unless --end-sessions is given."}
	p.define(cmd)
	cmd.Flags().BoolVar(&end, "end-sessions", false, "end the user's sessions")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.form(); err != nil {
			return err
		}
		hash, made, err := p.hash(cmd, args[0])
		if err != nil {
			return err
		}
		return a.with(cmd, func(k control.Accounts) (any, error) {
			u, err := k.ChangeUser(args[0], control.UserChange{PasswordHash: hash, End: end})
			return generated{u, made}, err
		}, func(w io.Writer, got any) { printMade(w, "has a new password", got.(generated)) })
	}
	return cmd
}

func hashCommand() *cobra.Command {
	var p passwordFlags
	cmd := &cobra.Command{Use: "hash", Short: "Print the hash of a password, for users.list and users.file", Args: cobra.NoArgs}
	p.define(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		hash, made, err := p.hash(cmd, "the user")
		if err != nil {
			return err
		}
		if made != "" {
			fmt.Fprintln(cmd.ErrOrStderr(), "password", made)
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), hash)
		return exitWith(exitFailed, err)
	}
	return cmd
}

// printMade tells of a change, and of the password that was made up for it.
func printMade(w io.Writer, what string, g generated) {
	printDone(w, what, g.User)
	if g.Generated != "" {
		fmt.Fprintf(w, "password  %s\n", g.Generated)
	}
}

// secretFile makes a file that nobody else reads and that was not there.
func secretFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}
