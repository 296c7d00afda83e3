package workshop

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
)

// Pins is the file that pins what each test costs.
type Pins struct {
	// Percent is by how much a test may cost more.
	Percent float64          `json:"percent"`
	Fuel    map[string]int64 `json:"fuel"` // by the test's name
}

// FuelCheck is how this run compares with the pins.
type FuelCheck struct {
	File    string   `json:"file"`
	Written bool     `json:"written"`
	Pinned  int      `json:"pinned"` // tests whose fuel is in the file
	Percent float64  `json:"percent"`
	Beyond  []string `json:"beyond"`  // tests that cost too much now
	Less    []string `json:"less"`    // tests that cost less by more than that
	Unknown []string `json:"unknown"` // tests that are not in the file
	Gone    []string `json:"gone"`    // pins of tests that are not there any more
}

// checkFuel compares the fuel with the pins, or writes them. Without a file there is
// nothing to compare.
func checkFuel(o TestOptions, tests []TestResult) (*FuelCheck, error) {
	c := &FuelCheck{File: o.Fuel, Percent: o.Percent, Beyond: []string{}, Less: []string{}, Unknown: []string{}, Gone: []string{}}
	if o.Update {
		p := Pins{Percent: o.Percent, Fuel: map[string]int64{}}
		for _, t := range tests {
			p.Fuel[t.Name] = t.Fuel
		}
		text, err := json.MarshalIndent(p, "", "  ")
		if err == nil {
			err = os.WriteFile(o.Fuel, append(text, '\n'), 0o644)
		}
		if err != nil {
			return nil, fmt.Errorf("the fuel of the tests cannot be written down: %w", err)
		}
		c.Written, c.Pinned = true, len(p.Fuel)
		return c, nil
	}
	text, err := os.ReadFile(o.Fuel)
	if err != nil {
		return nil, fmt.Errorf("the pinned fuel cannot be read: %w\n   = help:   --update-fuel writes the file", err)
	}
	p, err := parsePins(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Fuel, err)
	}
	c.compare(p, tests)
	return c, nil
}

// parsePins reads the file.
func parsePins(text []byte) (*Pins, error) {
	p := new(Pins)
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("it holds no pinned fuel: %w", err)
	}
	if p.Percent < 0 || p.Percent > 1000 {
		return nil, fmt.Errorf("percent is %v, want 0 to 1000", p.Percent)
	}
	for name, fuel := range p.Fuel {
		if fuel < 0 {
			return nil, fmt.Errorf("the fuel of %q is below zero", name)
		}
	}
	return p, nil
}

func (c *FuelCheck) compare(p *Pins, tests []TestResult) {
	c.Percent, c.Pinned = p.Percent, len(p.Fuel)
	seen := map[string]bool{}
	for _, t := range tests {
		seen[t.Name] = true
		was, pinned := p.Fuel[t.Name]
		text := fmt.Sprintf("%s: %s, pinned %s (%+.1f%%)", t.Name, number(t.Fuel), number(was), 100*float64(t.Fuel-was)/max(float64(was), 1))
		by := 100 * float64(t.Fuel-was) // percent of what was
		switch {
		case !pinned:
			c.Unknown = append(c.Unknown, t.Name)
		case by > p.Percent*float64(was):
			c.Beyond = append(c.Beyond, text)
		case -by > p.Percent*float64(was):
			c.Less = append(c.Less, text)
		}
	}
	for name := range p.Fuel {
		if !seen[name] {
			c.Gone = append(c.Gone, name)
		}
	}
	slices.Sort(c.Gone)
}
