package manual

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tree has what is special to man(7) and Markdown.
func tree() *cobra.Command {
	nothing := func(*cobra.Command, []string) {}
	root := &cobra.Command{Use: "prog", Short: "Does \\things", Run: nothing}
	root.PersistentFlags().String("color", "auto", "auto or never")
	sub := &cobra.Command{Use: "sub FILE", Short: ".begins with a dot | and a bar", Run: nothing,
		Long: "First line,\nsecond.\n\n'quoted\n  fixed -x\nflow", Example: "  prog sub .x\n  prog sub 'y'"}
	sub.Flags().IntP("number", "n", 3, "how many")
	sub.Flags().Bool("yes", false, "<do> it")
	root.AddCommand(sub, &cobra.Command{Use: "secret", Hidden: true, Short: "x", Run: nothing})
	return root
}

func TestPages(t *testing.T) {
	pages := Pages(tree(), "1.0", "0 is good.")
	if len(pages) != 2 || pages[0].Name != "prog.1" || pages[1].Name != "prog-sub.1" {
		t.Fatalf("%+v", pages)
	}
	for _, want := range []string{`Does \ething`, ".BR prog\\-sub (1)\n\\&.begins"} {
		if !strings.Contains(pages[0].Text, want) {
			t.Errorf("there is no %q in\n%s", want, pages[0].Text)
		}
	}
	for _, want := range []string{"\\&'quoted\n.nf\n  fixed \\-x\n.fi\nflow\n", ".B \\-n, \\-\\-number int\nhow many (default 3)\n", "prog sub .x", ".SH COMMON OPTIONS"} {
		if !strings.Contains(pages[1].Text, want) {
			t.Errorf("there is no %q in\n%s", want, pages[1].Text)
		}
	}
}

// The program that shows such pages has nothing to warn of.
func TestGroff(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("groff is not installed: apt-get install groff-base")
	}
	for _, p := range Pages(tree(), "1.0", "0 is good.") {
		cmd := exec.Command(groff, "-man", "-Tutf8", "-ww", "-z")
		cmd.Stdin = strings.NewReader(p.Text)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", p.Name, err, out)
		}
	}
}

func TestDocument(t *testing.T) {
	text := Document(tree(), "| 0 | good |\n")
	for _, want := range []string{"| [`sub`](#prog-sub) | .begins with a dot \\| and a bar |", "| `-n, --number int` | `3` | how many |", "&lt;do> it",
		"'quoted\n\n```\n  fixed -x\n```\nflow", "```sh\nprog sub .x\nprog sub 'y'\n```"} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "secret") {
		t.Error("it shows what is hidden")
	}
}
