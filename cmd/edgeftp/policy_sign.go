package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

func keygenCommand() *cobra.Command {
	var out, passwordFile string
	var open bool
	cmd := &cobra.Command{Use: "keygen -o KEY", Short: "Make a key pair that signs modules", Args: cobra.NoArgs,
		Long: "Makes a key pair in the format of minisign: KEY, which signs, and KEY.pub, which checks. KEY is encrypted with a password\n" +
			"that is asked for, or is the first line of --password-file. Files that are there are never overwritten."}
	fl := cmd.Flags()
	fl.StringVarP(&out, "output", "o", "", "file for the secret key; the public key goes to KEY.pub")
	fl.StringVar(&passwordFile, "password-file", "", "file whose first line is the password (default: it is asked for)")
	fl.BoolVar(&open, "no-password", false, "do not encrypt the secret key: who can read it can sign")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if out == "" || open && passwordFile != "" {
			return exitWith(exitUsage, errors.New("keygen needs -o KEY, and --password-file or --no-password but not both"))
		}
		for _, path := range []string{out, out + ".pub"} {
			if _, err := os.Lstat(path); err == nil {
				return exitWith(exitFailed, fmt.Errorf("%s is there already; a key is never overwritten\n   = help: give another name with -o, or move the old one away", path))
			}
		}
		password, err := "", error(nil)
		switch {
		case passwordFile != "":
			password, err = filePassword("--password-file", passwordFile)
		case !open:
			password, err = askPassword(cmd.Context(), cmd.ErrOrStderr(), "password for the new key: ", true)
		}
		var k trust.SecretKey
		if err == nil {
			k, err = makeKey(out, password)
		}
		if err != nil {
			return exitWith(exitFailed, err)
		}
		w := cmd.OutOrStdout()
		fmt.Fprintf(w, "key %s\n\n%s signs: keep it away from servers and repositories, and keep a copy of it\n", k.Public().ID(), out)
		if open {
			fmt.Fprintf(w, "%s has no password: who can read it can sign\n", strings.Repeat(" ", len(out)))
		}
		fmt.Fprintf(w, "%s.pub checks: give it to those who run servers, who name it in their configuration:\n\n", out)
		fmt.Fprintf(w, "  policies:\n    trust: [\"${file:%s.pub}\"]\n    require_signature: true\n\n", filepath.Base(out))
		fmt.Fprintf(w, "edgeftp policy sign --key %s FILE.wasm signs a module\n", out)
		return nil
	}
	return cmd
}

func makeKey(path, password string) (k trust.SecretKey, err error) {
	if k, err = trust.NewSecretKey(); err != nil {
		return k, err
	}
	secret, err := k.File(password)
	if err != nil {
		return k, err
	}
	if err = create(path, secret, 0o600); err != nil {
		return k, err
	}
	if err = create(path+".pub", k.Public().File(), 0o644); err != nil {
		return k, errors.Join(err, os.Remove(path))
	}
	return k, nil
}

// readKey reads a secret key and asks for its password if it has one.
func readKey(ctx context.Context, w io.Writer, path, passwordFile string) (trust.SecretKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return trust.SecretKey{}, fmt.Errorf("--key: %w\n   = help: edgeftp policy keygen -o KEY makes one", err)
	}
	password := ""
	if trust.Locked(string(text)) {
		if passwordFile != "" {
			password, err = filePassword("--password-file", passwordFile)
		} else {
			password, err = askPassword(ctx, w, "password for "+path+": ", false)
		}
		if err != nil {
			return trust.SecretKey{}, err
		}
	}
	k, err := trust.ParseSecretKey(string(text), password)
	if err != nil {
		return k, fmt.Errorf("--key %s: %w", path, err)
	}
	return k, nil
}

func signCommand() *cobra.Command {
	var key, passwordFile, comment string
	cmd := &cobra.Command{Use: "sign --key KEY FILE...", Short: "Sign modules", Args: cobra.MinimumNArgs(1),
		Long: "Writes FILE.minisig for each module, all or none. The signature is in minisign's format and holds a comment, which is\n" +
			"signed too: the time, the name of the file, and name and version of the manifest. Only what is a policy module is signed."}
	fl := cmd.Flags()
	fl.StringVar(&key, "key", "", "secret key, of policy keygen or minisign")
	fl.StringVar(&passwordFile, "password-file", "", "file whose first line is the key's password (default: it is asked for)")
	fl.StringVar(&comment, "comment", "", "comment in the place of the usual one, at most 200 characters")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if key == "" {
			return exitWith(exitUsage, errors.New("sign needs --key KEY\n   = help: edgeftp policy keygen -o KEY makes one"))
		}
		modules, comments := make([][]byte, len(args)), make([]string, len(args))
		for i, path := range args {
			m, facts, err := readPolicy(cmd.Context(), path)
			if err != nil {
				return exitWith(exitFailed, err)
			}
			modules[i], comments[i] = m, comment
			if comment == "" {
				comments[i] = usualComment(time.Now(), path, &facts.Manifest)
			}
		}
		k, err := readKey(cmd.Context(), cmd.ErrOrStderr(), key, passwordFile)
		if err != nil {
			return exitWith(exitFailed, err)
		}
		signatures := make([][]byte, len(args))
		for i, m := range modules {
			if signatures[i], err = k.Sign(m, comments[i]); err != nil {
				return exitWith(exitFailed, err)
			}
		}
		for i, path := range args {
			if err := replace(path+trust.SignatureSuffix, signatures[i]); err != nil {
				return exitWith(exitFailed, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s%s  key %s  %s\n", path, trust.SignatureSuffix, k.Public().ID(), strings.Map(visible, comments[i]))
		}
		return nil
	}
	return cmd
}

// usualComment says when what was signed. Tabs separate the parts, as in
// minisign's own comment.
func usualComment(now time.Time, path string, m *wasmhost.Manifest) string {
	parts := []string{"time:" + now.UTC().Format(time.RFC3339)}
	for _, p := range [...]struct{ key, value string }{{"file:", filepath.Base(path)}, {"name:", m.Name}, {"version:", m.Version}} {
		value := []rune(strings.Map(visible, strings.ToValidUTF8(p.value, "?")))
		if len(value) > 50 {
			value = append(value[:47], []rune("...")...)
		}
		if len(value) > 0 {
			parts = append(parts, p.key+string(value))
		}
	}
	return strings.Join(parts, "\t")
}

// readPolicy reads a file that a server would take the form of.
func readPolicy(ctx context.Context, path string) ([]byte, *wasmhost.Facts, error) {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		return nil, nil, fmt.Errorf("%s is a directory; a module is a .wasm file\n   = help: build it first", path)
	}
	var module []byte
	if err == nil {
		module, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("the policy module cannot be read: %w", err)
	}
	facts, err := examine(ctx, filepath.Base(path), module)
	return module, facts, err
}

// examine judges the form of a module.
func examine(ctx context.Context, name string, module []byte) (*wasmhost.Facts, error) {
	h, err := wasmhost.New(ctx, wasmhost.Config{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = h.Close() }() // only waits
	return h.Examine(name, module, wasmhost.LoadOptions{})
}

// verdict is what policy verify tells of one file.
type verdict struct {
	File    string `json:"file"`
	Good    bool   `json:"good"`
	Digest  string `json:"digest,omitempty"`
	Signer  string `json:"signer,omitempty"`
	Comment string `json:"comment,omitempty"`
	Why     string `json:"why,omitempty"`
}

func verifyCommand() *cobra.Command {
	var trusted, signature string
	cmd := &cobra.Command{Use: "verify --trust KEYS FILE...", Short: "Check the signatures of modules", Args: cobra.MinimumNArgs(1),
		Long: "Checks FILE against FILE.minisig, and tells who signed it and the comment. It exits with 1 if one of the files has no\n" +
			"good signature by a key of the file KEYS."}
	fl := cmd.Flags()
	fl.StringVar(&trusted, "trust", "", "file with public keys of minisign, one of which must have signed")
	fl.StringVar(&signature, "signature", "", "signature file, if there is one FILE (default FILE.minisig)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch output := cmd.Flag("output").Value.String(); {
		case trusted == "":
			return exitWith(exitUsage, errors.New("verify needs --trust KEYS, a file with public keys"))
		case signature != "" && len(args) > 1:
			return exitWith(exitUsage, errors.New("--signature is for one FILE"))
		case output != "human" && output != "json":
			return exitWith(exitUsage, fmt.Errorf("--output is %q; it can be human or json", output))
		}
		var list []verdict
		bad := 0
		for _, path := range args {
			v := verdict{File: path}
			if err := v.judge(trusted, signature); err != nil {
				v.Why = err.Error()
				bad++
			}
			v.Good = v.Why == ""
			list = append(list, v)
		}
		w := cmd.OutOrStdout()
		if cmd.Flag("output").Value.String() == "json" {
			enc := json.NewEncoder(escape.JSON(w))
			enc.SetIndent("", "  ")
			if err := enc.Encode(list); err != nil {
				return exitWith(exitFailed, err)
			}
		} else {
			for i := range list {
				list[i].print(w)
			}
		}
		if bad > 0 {
			return exitWith(exitFailed, fmt.Errorf("not to be trusted: %d of %d files", bad, len(args)))
		}
		return nil
	}
	return cmd
}

func (v *verdict) judge(trusted, signature string) error {
	rules, sealed, err := inspectTrust(v.File, trusted, signature)
	if err != nil {
		return err
	}
	module, err := os.ReadFile(v.File)
	if err != nil {
		return err
	}
	v.Digest = trust.Sum(module).String()
	seal, err := rules.Check(filepath.Base(v.File), module, sealed)
	v.Signer, v.Comment = seal.Signer, seal.Comment
	return err
}

func (v *verdict) print(w io.Writer) {
	if !v.Good {
		fmt.Fprintf(w, "%s: not good\n   %s\n", v.File, v.Why)
		return
	}
	fmt.Fprintf(w, "%s: good\n   signer   %s\n   comment  %s\n   digest   %s\n", v.File, v.Signer, dash(v.Comment), v.Digest)
}
