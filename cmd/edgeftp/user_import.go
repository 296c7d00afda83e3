package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/userimport"
	"github.com/edgeftp/edgeftp/edge"
)

// importFlags say what becomes of users who cannot be taken over as they are.
type importFlags struct {
	from, perm, passwords      string
	dryRun, skip, known, wider bool
	noRoots                    bool
}

// imported is what an import prints.
type imported struct {
	DryRun bool             `json:"dry_run"`
	Users  []importedUser   `json:"users"`
	Left   []importedRefuse `json:"refused"`
}

type importedUser struct {
	Line        int      `json:"line"`
	Name        string   `json:"name"`
	NewPassword bool     `json:"new_password,omitempty"`
	Dropped     []string `json:"dropped,omitempty"`
	Existed     bool     `json:"existed,omitempty"`
}

type importedRefuse struct {
	Line int    `json:"line"`
	Name string `json:"name"`
	Why  string `json:"why"`
	Help string `json:"help,omitempty"`
}

func (a *userAdmin) importCommand() *cobra.Command {
	var f importFlags
	var names []string
	for _, n := range userimport.Formats() {
		names = append(names, string(n))
	}
	cmd := &cobra.Command{Use: "import --from FORMAT FILE", Short: "Take over the users of another server: all, or none", Args: cobra.ExactArgs(1),
		Long: "Takes over the users of a file of another server. Hashes of bcrypt and argon2id stay as they are, passwords in the clear are hashed.\n" +
			"Of a user who cannot be taken over it says why, with the line; then nothing is imported, unless a flag says what to do about it.\n" +
			"Directories, quotas, rates, expiry and permissions are taken over where the format has them."}
	fl := cmd.Flags()
	fl.StringVar(&f.from, "from", "", "the format: "+strings.Join(names, ", "))
	fl.BoolVar(&f.dryRun, "dry-run", false, "tell what would be done, and do nothing")
	fl.BoolVar(&f.skip, "skip-refused", false, "import the others, where some cannot be taken over")
	fl.BoolVar(&f.known, "skip-existing", false, "leave users alone whose names are there already")
	fl.BoolVar(&f.wider, "drop-restrictions", false, "take those over, too, whom something restricts that cannot be kept: they may do more then")
	fl.StringVar(&f.passwords, "new-passwords", "", "make passwords up for those whose hash cannot be verified, and write them to this file, which must not exist")
	fl.BoolVar(&f.noRoots, "drop-roots", false, "leave the users' directories there: they have those of users.defaults.root here")
	fl.StringVar(&f.perm, "perm", "", "permission letters of users for whom the file has none (default: users.defaults.perm)")
	_ = cmd.MarkFlagRequired("from")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.takeOver(cmd, &f, args[0]) }
	return cmd
}

// takeOver imports a file.
func (a *userAdmin) takeOver(cmd *cobra.Command, f *importFlags, path string) error {
	text, err := readImport(path)
	if err != nil {
		return exitWith(exitFailed, err)
	}
	got, err := userimport.Parse(userimport.Format(f.from), text)
	if err != nil {
		help := ""
		if !slices.Contains(userimport.Formats(), userimport.Format(f.from)) {
			help = "\n   = help: " + cmd.Flag("from").Usage
		}
		return exitWith(exitUsage, fmt.Errorf("%s: %w%s", path, err, help))
	}
	out := imported{DryRun: f.dryRun, Users: []importedUser{}, Left: []importedRefuse{}}
	users := f.choose(got, &out)
	if len(out.Left) > 0 && !f.skip && !f.dryRun {
		printImport(cmd.ErrOrStderr(), out)
		return exitWith(exitFailed, fmt.Errorf("%s: %s cannot be taken over; nothing was imported\n   = help: --skip-refused imports the others", path, quantity(len(out.Left), "user", "users")))
	}
	made, err := f.finish(cmd.Context(), users)
	if err != nil {
		return err
	}
	return a.with(cmd, func(k control.Accounts) (any, error) {
		entries, err := f.entries(users)
		if err != nil {
			return nil, err
		}
		done, err := f.keep(made)
		if err != nil {
			return nil, err
		}
		added, err := k.AddUsers(control.NewUsers{Users: entries, Skip: f.known, DryRun: f.dryRun})
		if err != nil {
			var no *control.Refusal
			done(!errors.As(err, &no)) // of another error nobody knows what was done
			return nil, err
		}
		done(true)
		there := map[string]bool{}
		for _, u := range added {
			there[u.Name] = true
		}
		for i := range out.Users {
			out.Users[i].Existed = !there[out.Users[i].Name]
		}
		return out, nil
	}, func(w io.Writer, got any) { printImport(w, got.(imported)) })
}

func readImport(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading alone
	return io.ReadAll(io.LimitReader(f, userimport.MaxFile+1))
}

// choose sorts out who is taken over.
func (f *importFlags) choose(got userimport.Result, out *imported) []userimport.User {
	users := got.Users
	for i := range users {
		out.Users = append(out.Users, importedUser{Line: users[i].Line, Name: users[i].Name, Dropped: users[i].Dropped})
	}
	for _, no := range got.Refused {
		if no.User != nil && (!no.NewPassword || f.passwords != "") && (!no.Wider || f.wider) {
			users = append(users, *no.User)
			out.Users = append(out.Users, importedUser{Line: no.Line, Name: no.Name, NewPassword: no.NewPassword, Dropped: no.User.Dropped})
			continue
		}
		var help []string
		if no.User != nil && no.NewPassword && f.passwords == "" {
			help = append(help, "--new-passwords FILE")
		}
		if no.User != nil && no.Wider && !f.wider {
			help = append(help, "--drop-restrictions")
		}
		out.Left = append(out.Left, importedRefuse{Line: no.Line, Name: no.Name, Why: no.Why, Help: strings.Join(help, " ")})
	}
	return users
}

// finish hashes passwords and makes those up that are missing, whose users it returns with
// them.
func (f *importFlags) finish(ctx context.Context, users []userimport.User) (made [][2]string, err error) {
	if f.dryRun { // any hash will do
		for i := range users {
			if users[i].Hash == "" {
				users[i].Hash = "$2a$04$AAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
			}
		}
		return nil, nil
	}
	for i := range users {
		if users[i].Hash == "" && users[i].Password == "" {
			users[i].Password = config.MakeUpPassword()
			made = append(made, [2]string{users[i].Name, users[i].Password})
		}
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	next := 0
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= len(users) || ctx.Err() != nil {
					return
				}
				if users[i].Hash != "" {
					continue
				}
				hash, failed := edge.HashPassword(users[i].Password)
				users[i].Hash = hash
				if failed != nil {
					mu.Lock()
					err = errors.Join(err, fmt.Errorf("line %d: %w", users[i].Line, failed))
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	return made, exitWith(exitFailed, errors.Join(err, ctx.Err()))
}

// entries are users as users.list has them.
func (f *importFlags) entries(users []userimport.User) ([]json.RawMessage, error) {
	out := make([]json.RawMessage, len(users))
	for i, u := range users {
		m := map[string]any{"name": u.Name, "password_hash": u.Hash}
		if f.perm != "" {
			m["perm"] = f.perm
		}
		for key, value := range u.Settings {
			if key != "root" || !f.noRoots {
				m[key] = value
			}
		}
		var err error
		if out[i], err = json.Marshal(m); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// keep writes the passwords that were made up, before they are in force; done takes the
// file away where they never are.
func (f *importFlags) keep(made [][2]string) (done func(imported bool), err error) {
	if len(made) == 0 {
		return func(bool) {}, nil
	}
	file, err := secretFile(f.passwords)
	if err != nil {
		return nil, fmt.Errorf("--new-passwords: %w; nothing was imported", err)
	}
	var b strings.Builder
	for _, u := range made {
		fmt.Fprintf(&b, "%s:%s\n", u[0], u[1])
	}
	_, err = file.WriteString(b.String())
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("--new-passwords: %w; nothing was imported", err), os.Remove(f.passwords))
	}
	return func(imported bool) {
		if !imported {
			_ = os.Remove(f.passwords) // of no use, and of no harm
		}
	}, nil
}

func printImport(w io.Writer, got imported) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	taken := 0
	for _, u := range got.Users {
		what := "taken over"
		switch {
		case u.Existed:
			what = "left as it is: the name is there already"
		case u.NewPassword:
			what = "taken over with a new password"
		}
		if !u.Existed {
			taken++
		}
		if len(u.Dropped) > 0 {
			what += ", without " + oneLine(strings.Join(u.Dropped, "; "))
		}
		fmt.Fprintf(t, "line %d\t%s\t%s\n", u.Line, oneLine(u.Name), what)
	}
	for _, u := range got.Left {
		help := ""
		if u.Help != "" {
			help = " (" + u.Help + ")"
		}
		fmt.Fprintf(t, "line %d\t%s\trefused: %s%s\n", u.Line, dash(oneLine(u.Name)), oneLine(u.Why), help)
	}
	_ = t.Flush() // to a terminal, which is there or not
	would := ""
	if got.DryRun {
		would = " would be"
	}
	fmt.Fprintf(w, "%d%s taken over, %d refused\n", taken, would, len(got.Left))
}
