// Package vectors holds the golden bytes of the guest ABI for Go programs. README.md
// says what they are; they are the same files.
package vectors

import (
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

//go:embed records.json
var records []byte

//go:embed bad-records.json
var badRecords []byte

// Record is a question to a hook, or in the list of Bad one that breaks a rule.
type Record struct {
	Name  string
	Hook  string // such as "fs"
	Bytes []byte
}

// Records returns the questions of records.json.
func Records() ([]Record, error) { return read(records) }

// Bad returns what bad-records.json says is no question.
func Bad() ([]Record, error) { return read(badRecords) }

func read(text []byte) (list []Record, err error) {
	var raw []struct{ Name, Hook, Record string }
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("golden vectors: %w", err)
	}
	for _, r := range raw {
		b, err := hex.DecodeString(r.Record)
		if err != nil {
			return nil, fmt.Errorf("golden vectors: %s: %w", r.Name, err)
		}
		list = append(list, Record{r.Name, r.Hook, b})
	}
	return list, nil
}
