package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/workshop"
	"github.com/edgeftp/edgeftp/wasmhost/abi/cases"
)

// errTests is the end of a test run that found something.
var errTests = errors.New("the policy does not pass its tests")

// soakTime bounds the questions that show whether memory grows.
const soakTime = 5 * time.Second

// testCommand is policy test.
func (a *admin) testCommand() *cobra.Command {
	var tests, fuel string
	var update bool
	var percent float64
	var questions int
	cmd := &cobra.Command{Use: "test [DIR|FILE.wasm]", Short: "Build a policy, and run its tests in the host of the server", Args: cobra.MaximumNArgs(1),
		Long: "Builds the policy in a folder (default .) with its unit tests, or takes a built module, and asks every question of\n" +
			"tests.json, or of the module's own tests, as a server would. It tells which hooks no test asks, what the tests\n" +
			"cost, whether memory grows, and whether every run is like the other. It needs no server and touches none.\n\n" +
			"fuel.json beside the tests pins what each may cost: --update-fuel writes it. It exits with 1 if anything is wrong."}
	fl := cmd.Flags()
	fl.StringVar(&tests, "tests", "", "file of tests, in the place of the module's own")
	fl.StringVar(&fuel, "fuel", "", "file of pinned fuel (default fuel.json beside the tests, if it is there)")
	fl.BoolVar(&update, "update-fuel", false, "write the fuel of this run to that file")
	fl.Float64Var(&percent, "fuel-percent", 5, "percent that a test may cost more than pinned; for --update-fuel")
	fl.IntVar(&questions, "questions", 10_000, "questions that show whether memory grows, 0 for none")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.form(); err != nil {
			return err
		}
		s, err := workshop.Open(cmd.Context(), workshop.Source{Path: pathOf(args), Tests: tests, Cache: workshopCache()})
		if err != nil {
			return exitWith(exitFailed, err)
		}
		defer s.Close()
		o := workshop.TestOptions{Units: true, Questions: questions, SoakTime: soakTime, Fuel: fuel, Update: update, Percent: percent}
		if file := s.FuelFile(); fuel == "" && (update || s.Pinned()) {
			o.Fuel = file
		}
		r, err := s.Test(cmd.Context(), o)
		if err != nil {
			return exitWith(exitFailed, err)
		}
		if err := a.show(cmd, r, r.Print); err != nil {
			return err
		}
		if !r.OK {
			return exitWith(exitFailed, errTests)
		}
		return nil
	}
	return cmd
}

// pathOf is the policy that a command is about.
func pathOf(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}

// workshopCache is where the workshop keeps what it built and compiled: the user's own
// cache, or nowhere.
func workshopCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "edgeftp")
}

// buildCache is the part of it for what was built.
func buildCache() string {
	if dir := workshopCache(); dir != "" {
		return filepath.Join(dir, "build")
	}
	return ""
}

// asking are the flags of the commands that ask one question.
type asking struct {
	event, settings, kv string
}

func (q *asking) flags(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&q.event, "event", "", "the question: a test of tests.json without its want, as JSON or in a file")
	fl.StringVar(&q.settings, "settings", "", "file with the settings, a JSON object (default those of the tests)")
	fl.StringVar(&q.kv, "kv", "", "file with values, as the key kv of tests.json")
}

// source reads what the flags name.
func (q *asking) source(path string) (workshop.Source, error) {
	src := workshop.Source{Path: path, Cache: workshopCache()}
	if q.settings != "" {
		text, err := readJSON(q.settings)
		if err != nil {
			return src, fmt.Errorf("--settings: %w", err)
		}
		src.Settings = text
	}
	if q.kv != "" {
		text, err := os.ReadFile(q.kv)
		if err == nil {
			src.KV, err = cases.ParseValues(text)
		}
		if err != nil {
			return src, fmt.Errorf("--kv: %w", err)
		}
	}
	return src, nil
}

// eventHelp shows a question.
const eventHelp = `   = help:   for example  --event '{"hook":"fs","op":"write","path":"/in/a.exe","user":"anna"}'`

// question reads the one of --event.
func (q *asking) question() (*cases.Case, error) {
	text := []byte(q.event)
	if strings.HasPrefix(strings.TrimSpace(q.event), "{") {
		if at, says := brokenJSON(text); says != "" {
			return nil, fmt.Errorf("--event: %s: it is no JSON: %s\n"+eventHelp, at, says)
		}
	} else if !json.Valid(text) {
		var err error
		if text, err = os.ReadFile(q.event); err != nil {
			return nil, fmt.Errorf("--event is neither JSON nor a file that can be read: %w\n"+eventHelp, err)
		}
	}
	c, err := cases.ParseQuestion(text)
	if err != nil {
		return nil, fmt.Errorf("--event: %w\n   = help:   ABI.md, section 8, lists the keys of a test: policy init writes it into the folder", err)
	}
	return c, nil
}
