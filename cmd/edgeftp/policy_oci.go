package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/registry"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/refusal"
	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// epochVar names the time, in seconds since 1970, that builds are said to be of.
const epochVar = "SOURCE_DATE_EPOCH"

// remote is what the commands that talk to a registry have in common.
type remote struct {
	username, passwordFile string
	plain                  bool
	timeout                time.Duration
	cmd                    *cobra.Command
}

func (r *remote) add(cmd *cobra.Command) {
	r.cmd = cmd
	fl := cmd.Flags()
	fl.StringVar(&r.username, "username", "", "name for the registry (default: what docker login left)")
	fl.StringVar(&r.passwordFile, "password-file", "", "file whose first line is the password for --username")
	fl.BoolVar(&r.plain, "plain-http", false, "connect without TLS (default: to this machine alone)")
	fl.DurationVar(&r.timeout, "timeout", 2*time.Minute, "how long it may take as a whole")
}

func (r *remote) client() (*registry.Client, error) {
	if (r.username == "") != (r.passwordFile == "") {
		return nil, exitWith(exitUsage, errors.New("--username and --password-file belong together"))
	}
	if r.timeout <= 0 {
		return nil, exitWith(exitUsage, fmt.Errorf("--timeout is %v; it is to be more than nothing", r.timeout))
	}
	c := &registry.Client{Username: r.username, Timeout: r.timeout, Agent: "edgeftp/" + release}
	if r.cmd.Flags().Changed("plain-http") {
		c.PlainHTTP = &r.plain
	}
	var err error
	if r.passwordFile != "" {
		c.Password, err = filePassword("--password-file", r.passwordFile)
	}
	return c, exitWith(exitFailed, err)
}

// begin reads a reference and prepares the client.
func (r *remote) begin(reference string) (ref registry.Ref, c *registry.Client, err error) {
	if ref, err = registry.ParseRef(reference); err != nil {
		return ref, nil, exitWith(exitUsage, err)
	}
	c, err = r.client()
	return ref, c, err
}

// pushed is what policy push tells.
type pushed struct {
	Reference string `json:"reference"`
	Pinned    string `json:"pinned"`
	Manifest  string `json:"manifest"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`
	Signed    bool   `json:"signed"`
}

func pushCommand() *cobra.Command {
	var r remote
	var signature, trusted string
	cmd := &cobra.Command{Use: "push FILE oci://HOST[:PORT]/REPOSITORY:TAG", Short: "Bring a module to an OCI registry", Args: cobra.ExactArgs(2),
		Long: "Brings a module, and its signature FILE.minisig if it is there, to an OCI registry, and tells the digest that pins it.\n" +
			"The same module and signature under the same file name always have the same digest; " + epochVar + " adds a time."}
	r.add(cmd)
	cmd.Flags().StringVar(&signature, "signature", "", "signature file (default FILE.minisig)")
	cmd.Flags().StringVar(&trusted, "trust", "", "file with public keys of minisign, one of which must have signed the module")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ref, client, err := r.begin(args[1])
		if err != nil {
			return err
		}
		output := cmd.Flag("output").Value.String()
		if output != "human" && output != "json" {
			return exitWith(exitUsage, fmt.Errorf("--output is %q; it can be human or json", output))
		}
		a, about, err := toPush(cmd.Context(), args[0], signature, trusted)
		if err != nil {
			return exitWith(exitFailed, err)
		}
		digest, err := client.Push(cmd.Context(), ref, a, about)
		if err != nil {
			return exitWith(exitFailed, err)
		}
		p := pushed{Reference: ref.String(), Pinned: ref.Pinned(digest).String(), Manifest: digest,
			Digest: trust.Sum(a.Module).String(), Size: len(a.Module), Signed: len(a.Signature) > 0}
		return exitWith(exitFailed, p.print(cmd.OutOrStdout(), output))
	}
	return cmd
}

// toPush reads a module and its signature. Without keys nobody can tell whether
// they belong together.
func toPush(ctx context.Context, path, signature, trusted string) (a registry.Artifact, about registry.About, err error) {
	module, facts, err := readPolicy(ctx, path)
	if err != nil {
		return a, about, err
	}
	a.Module = module
	file := signature
	if file == "" {
		file = path + trust.SignatureSuffix
	}
	if a.Signature, err = readSignature(file, signature != ""); err != nil {
		return a, about, err
	}
	if trusted != "" {
		rules, err := readTrust(trusted)
		if err == nil {
			_, err = rules.Check(filepath.Base(path), a.Module, a.Signature)
		}
		if err != nil {
			return a, about, err
		}
	}
	about, err = aboutModule(path, &facts.Manifest, os.Getenv(epochVar))
	return a, about, err
}

func (p *pushed) print(w io.Writer, output string) error {
	if output == "json" {
		enc := json.NewEncoder(escape.JSON(w))
		enc.SetIndent("", "  ")
		return enc.Encode(p)
	}
	fmt.Fprintf(w, "pushed   %s\npin it   %s\nmodule   %s, %d bytes\n", p.Reference, p.Pinned, p.Digest, p.Size)
	if !p.Signed {
		fmt.Fprintln(w, "signed   no: edgeftp policy sign --key KEY FILE, then push again")
	}
	return nil
}

// aboutModule tells those who browse a registry what a module says of itself.
func aboutModule(path string, m *wasmhost.Manifest, epoch string) (registry.About, error) {
	a := registry.About{File: filepath.Base(path), Title: m.Name, Version: m.Version, Description: m.Description, Licenses: m.License, Source: m.Source}
	if a.Title == "" {
		a.Title = a.File
	}
	if epoch == "" {
		return a, nil
	}
	n, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || n < 0 || n > 253402300799 { // the year 9999
		return a, fmt.Errorf("%s is %q; it is to be a number of seconds since 1970", epochVar, epoch)
	}
	a.Created = time.Unix(n, 0)
	return a, nil
}

// keep is what pull, save and load do with an artifact.
type keep struct {
	trusted string
	out     string
}

func (k *keep) add(cmd *cobra.Command, what string) {
	cmd.Flags().StringVar(&k.trusted, "trust", "", "file with public keys of minisign, one of which must have signed the module")
	cmd.Flags().StringVarP(&k.out, "output", "o", "", what)
}

// rules reads the keys, before anything is asked of a registry.
func (k *keep) rules() (rules trust.Rules, err error) {
	if k.trusted != "" {
		rules, err = readTrust(k.trusted)
	}
	return rules, err
}

// checkFetched judges what came from elsewhere.
func checkFetched(rules trust.Rules, name string, a *registry.Artifact) (trust.Seal, error) {
	seal, err := rules.Check(name, a.Module, a.Signature)
	var told *refusal.Error
	if errors.As(err, &told) && told.Code == trust.CodeUnsigned {
		told.Help = "its author is to sign it and push it again; without --trust it is taken as it is"
	}
	return seal, err
}

// tell prints what came, in lines that begin with a word.
func (k *keep) tell(ctx context.Context, w io.Writer, from, digest, name string, a *registry.Artifact, seal trust.Seal) {
	fmt.Fprintf(w, "from      %s\nmanifest  %s\nmodule    %s, %d bytes\n", from, digest, seal.Digest, len(a.Module))
	switch {
	case seal.Signer != "":
		fmt.Fprintf(w, "signed    %s  %s\n", seal.Signer, seal.Comment)
	case len(a.Signature) > 0:
		fmt.Fprintln(w, "signed    not checked: --trust KEYS does")
	default:
		fmt.Fprintln(w, "signed    no")
	}
	if _, err := examine(ctx, name, a.Module); err != nil {
		fmt.Fprintf(w, "but       this edgeftp would refuse it:\n   %v\n", err)
	}
}

// place judges the signature and writes the files.
func (k *keep) place(cmd *cobra.Command, from, digest string, a *registry.Artifact, rules trust.Rules) error {
	seal, err := checkFetched(rules, filepath.Base(k.out), a)
	if err != nil {
		return err
	}
	if err := placeModule(k.out, a.Module, a.Signature); err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	k.tell(cmd.Context(), w, from, digest, filepath.Base(k.out), a, seal)
	fmt.Fprintf(w, "wrote     %s\n", k.out)
	if len(a.Signature) > 0 {
		fmt.Fprintf(w, "wrote     %s%s\n", k.out, trust.SignatureSuffix)
	}
	return nil
}

func pullCommand() *cobra.Command {
	var r remote
	var k keep
	cmd := &cobra.Command{Use: "pull oci://HOST[:PORT]/REPOSITORY:TAG", Short: "Fetch a module from an OCI registry", Args: cobra.ExactArgs(1),
		Long: "Fetches a module and its signature, which goes to FILE.minisig. @sha256:DIGEST in the place of :TAG takes this one artifact and\n" +
			"no other. With --trust the signature must be good before anything is written. If it fails nothing is written."}
	r.add(cmd)
	k.add(cmd, "file for the module (default REPOSITORY.wasm, of its last part)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ref, client, err := r.begin(args[0])
		if err != nil {
			return err
		}
		if k.out == "" {
			k.out = ref.Base() + ".wasm"
		}
		rules, err := k.rules()
		if err != nil {
			return exitWith(exitFailed, err)
		}
		a, digest, err := client.Pull(cmd.Context(), ref)
		if err != nil {
			return exitWith(exitFailed, err)
		}
		return exitWith(exitFailed, k.place(cmd, ref.String(), digest, a, rules))
	}
	return cmd
}

func saveCommand() *cobra.Command {
	var r remote
	var k keep
	cmd := &cobra.Command{Use: "save oci://HOST[:PORT]/REPOSITORY:TAG -o FILE.tar", Short: "Fetch a module into a tar, for machines that reach no registry", Args: cobra.ExactArgs(1),
		Long: "Fetches a module and its signature into one file, a tar of an OCI image layout, which policy load reads. With --trust the\n" +
			"signature must be good before anything is written."}
	r.add(cmd)
	k.add(cmd, "file for the tar (default REPOSITORY.tar, of its last part)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ref, client, err := r.begin(args[0])
		if err != nil {
			return err
		}
		if k.out == "" {
			k.out = ref.Base() + ".tar"
		}
		rules, err := k.rules()
		if err != nil {
			return exitWith(exitFailed, err)
		}
		s, err := client.Save(cmd.Context(), ref)
		if err != nil {
			return exitWith(exitFailed, err)
		}
		seal, err := checkFetched(rules, ref.Base(), &s.Artifact)
		if err == nil {
			err = replace(k.out, s.Layout)
		}
		if err != nil {
			return exitWith(exitFailed, err)
		}
		k.tell(cmd.Context(), cmd.OutOrStdout(), ref.String(), s.Manifest, ref.Base(), &s.Artifact, seal)
		fmt.Fprintf(cmd.OutOrStdout(), "wrote     %s\n", k.out)
		return nil
	}
	return cmd
}

func loadCommand() *cobra.Command {
	var k keep
	cmd := &cobra.Command{Use: "load FILE.tar -o FILE", Short: "Take a module out of a tar of policy save", Args: cobra.ExactArgs(1),
		Long: "Takes the module and its signature out of a tar that policy save wrote, and holds them to their digests. With --trust the\n" +
			"signature must be good before anything is written. If it fails nothing is written."}
	k.add(cmd, "file for the module")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if k.out == "" {
			return exitWith(exitUsage, errors.New("load needs -o FILE, where the module goes"))
		}
		rules, err := k.rules()
		if err != nil {
			return exitWith(exitFailed, err)
		}
		f, err := os.Open(args[0])
		if err != nil {
			return exitWith(exitFailed, err)
		}
		defer func() { _ = f.Close() }() // opened for reading alone
		a, digest, err := registry.Load(cmd.Context(), args[0], f)
		if err != nil {
			return exitWith(exitFailed, err)
		}
		return exitWith(exitFailed, k.place(cmd, args[0], digest, a, rules))
	}
	return cmd
}
