package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/acme"
)

// trustPlan is how a system comes to trust an authority, and how to undo it.
type trustPlan struct {
	Authority string   `json:"authority"`
	SHA256    string   `json:"sha256"`
	File      string   `json:"file"`
	System    string   `json:"system"`
	Install   []string `json:"install"`
	Remove    []string `json:"remove"`
	NSS       []string `json:"nss"`
	UndoNSS   []string `json:"remove_nss"`
	title     string
	able      bool // that --install can do it
	life      string
}

func (c *certs) trustCommand() *cobra.Command {
	var install, remove bool
	var system string
	cmd := &cobra.Command{Use: "trust [FILE]", Short: "Tell how a system comes to trust the development authority, or do it", Args: cobra.MaximumNArgs(1),
		Long: "Prints the commands by which this system comes to trust the development authority, and those that undo it, and changes nothing.\n" +
			"The authority is that of FILE, as cert ca-export writes it, else that of the running server or of the state directory.\n\n" +
			"--install carries the commands out, on Linux and as root; --remove takes away all authorities that --install has added.\n\n" +
			"Who can read the authority's key can pretend to be any server towards a system that trusts it: it is for the machines of\n" +
			"developers alone. Mostly it is enough to give one client the file, such as curl with --cacert."}
	fl := cmd.Flags()
	fl.BoolVar(&install, "install", false, "carry the commands out (Linux, as root), and tell what was written")
	fl.BoolVar(&remove, "remove", false, "take away what --install has added (Linux, as root)")
	fl.StringVar(&system, "for", "", "print the commands of another system: "+strings.Join(systemNames(), ", "))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case install && remove:
			return exitWith(exitUsage, errors.New("--install and --remove exclude each other"))
		case (install || remove) && system != "":
			return exitWith(exitUsage, errors.New("--for only prints: it excludes --install and --remove"))
		case remove && len(args) > 0:
			return exitWith(exitUsage, errors.New("--remove takes no file: it takes away all authorities that --install has added"))
		}
		if err := c.form(); err != nil {
			return err
		}
		if remove {
			return c.untrust(cmd)
		}
		store, err := c.host.choose(system)
		if err != nil {
			return err
		}
		a, err := c.trusted(cmd.Context(), args)
		if err != nil {
			return err
		}
		if install {
			return c.trust(cmd, a, store)
		}
		plan := planFor(a, store)
		plan.life = a.life(c.now())
		return c.show(cmd, plan, func(w io.Writer) error { plan.print(w); return nil })
	}
	return cmd
}

// trusted is the authority that a command is about.
func (c *certs) trusted(ctx context.Context, args []string) (*devCert, error) {
	if len(args) == 0 {
		return c.authority(ctx)
	}
	a, err := readAuthority(args[0])
	return a, exitWith(exitFailed, err)
}

func planFor(a *devCert, s *trustStore) *trustPlan {
	p := &trustPlan{Authority: a.name(), SHA256: acme.Fingerprint(a.cert), File: a.file, System: s.name, title: s.title, able: s.dir != ""}
	if p.File == "" {
		p.File = "edgeftp-dev.pem"
		p.Install = append(p.Install, "edgeftp cert ca-export "+p.File)
	}
	file := shellWord(s.name, p.File)
	p.Install = append(p.Install, s.install(a, file)...)
	p.Remove = s.remove(a, file)
	name := shellWord(s.name, a.name())
	const db = "certutil -d sql:$HOME/.pki/nssdb "
	if s.name != "windows" {
		p.NSS, p.UndoNSS = []string{db + "-A -t C,, -n " + name + " -i " + file}, []string{db + "-D -n " + name}
	}
	return p
}

// shellWord is a word of a command, as the shell of a system wants it.
func shellWord(system, word string) string {
	if !strings.ContainsFunc(word, func(r rune) bool {
		return !strings.ContainsRune("/._-:\\", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) && (system == "windows" || !strings.Contains(word, `\`)) {
		return word
	}
	if system == "windows" {
		return `"` + word + `"`
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func (p *trustPlan) print(w io.Writer) {
	section := func(title string, commands []string) {
		fmt.Fprintf(w, "\n%s\n\n", title)
		for _, line := range commands {
			fmt.Fprintf(w, "    %s\n", strings.Map(visible, line))
		}
	}
	fmt.Fprintf(w, "%s is an authority for development, %s\nSHA-256 %s\n", p.Authority, p.life, p.SHA256)
	fmt.Fprint(w, "Who can read its key can pretend to be any server towards a system that trusts it. Mostly it is\n"+
		"enough to give one client the file, such as curl with --cacert. Nothing was changed.\n")
	section("So that this system trusts it ("+p.title+"):", p.Install)
	section("To undo it:", p.Remove)
	if p.able {
		fmt.Fprint(w, "\nedgeftp cert trust --install does it, as root, and --remove undoes it.\n")
	}
	if len(p.NSS) > 0 {
		section("Firefox, and Chromium on Linux, have stores of their own (NSS). Firefox: Settings, Privacy & Security,\n"+
			"View Certificates, Authorities, Import. Others, with certutil of the NSS tools:", p.NSS)
		section("To undo that:", p.UndoNSS)
	} else {
		fmt.Fprint(w, "\nFirefox has a store of its own: Settings, Privacy & Security, View Certificates, Authorities, Import.\n")
	}
}

// trust carries the plan out.
func (c *certs) trust(cmd *cobra.Command, a *devCert, s *trustStore) error {
	if err := c.host.mayChange(s, "--install"); err != nil {
		return err
	}
	if c.now().After(a.cert.NotAfter) {
		return exitWith(exitFailed, fmt.Errorf("%s %s; nothing was changed\n   = help: start the server, which makes another", a.name(), a.life(c.now())))
	}
	path, out, err := c.host.add(cmd.Context(), a, s)
	if err != nil {
		return exitWith(exitFailed, err)
	}
	return c.show(cmd, map[string]string{"wrote": path, "ran": s.update, "sha256": acme.Fingerprint(a.cert)}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "wrote %s\nran   %s\n%s%s is trusted by this system, %s\nedgeftp cert trust --remove undoes it\n",
			path, s.update, indentedLines(out), a.name(), a.life(c.now()))
		return err
	})
}

// untrust takes away what --install has added.
func (c *certs) untrust(cmd *cobra.Command) error {
	s, err := c.host.choose("")
	if err != nil {
		return err
	}
	if err := c.host.mayChange(s, "--remove"); err != nil {
		return err
	}
	gone, out, err := c.host.takeAway(cmd.Context(), s)
	if err != nil {
		return exitWith(exitFailed, err)
	}
	return c.show(cmd, map[string]any{"removed": orNone(gone)}, func(w io.Writer) error {
		if len(gone) == 0 {
			fmt.Fprintf(w, "there is no development authority of edgeftp in %s\n", s.dir)
			return nil
		}
		for _, path := range gone {
			fmt.Fprintf(w, "removed %s\n", path)
		}
		_, err := fmt.Fprintf(w, "ran     %s\n%s", s.fresh, indentedLines(out))
		return err
	})
}

// indentedLines are the words of a program that was run.
func indentedLines(out []byte) string {
	if len(strings.TrimSpace(string(out))) == 0 {
		return ""
	}
	return lines(strings.TrimRight(string(out), "\n") + "\n").indented()
}
