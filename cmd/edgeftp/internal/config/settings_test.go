package config

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/wasmhost"
)

func TestCheckSettings(t *testing.T) {
	const schema = `{"type":"object","additionalProperties":false,"required":["deny"],"properties":{
		"deny":{"type":"array","items":{"type":"string","maxLength":5}},"mode":{"enum":["a","b",1]},"most":{"type":"integer","minimum":3}}}`
	for settings, says := range map[string]string{
		`{"deny":["exe"],"mode":"a","most":3}`: "",
		`{"deny":[]}`:                          "",
		``:                                     "settings.deny is missing",
		`{"most":3}`:                           "settings.deny is missing",
		`{"deny":["exe",5]}`:                   "settings.deny[1] must be text, not a number",
		`{"deny":["executable"]}`:              "settings.deny[0]: ",
		`{"deny":"exe"}`:                       "settings.deny must be a list, not text",
		`{"deny":[],"denny":1}`:                `settings has the unknown key "denny"`,
		`{"deny":[],"mode":"c"}`:               `settings.mode is not one of "a", "b", 1`,
		`{"deny":[],"most":2}`:                 "settings.most: ",
		`{"deny":1,"most":2}`:                  "settings.deny must be a list, not a number; settings.most",
	} {
		var raw json.RawMessage
		if settings != "" {
			raw = json.RawMessage(settings)
		}
		err := CheckSettings("guard", json.RawMessage(schema), raw)
		var e *wasmhost.LoadError
		switch {
		case says == "" && err == nil:
		case says == "" || !errors.As(err, &e) || e.Code != wasmhost.CodeSettings || !strings.Contains(e.Found, says) || e.Help == "":
			t.Errorf("%s: %v", settings, err)
		}
	}
	if err := CheckSettings("guard", nil, json.RawMessage(`{"any":1}`)); err != nil {
		t.Error(err)
	}
}

// A schema is a stranger's: it reads no file, and costs no more than its length.
func TestHostileSchemas(t *testing.T) {
	doubling := `{"$defs":{"z":{}`
	for i := range 60 {
		to := "z"
		if i > 0 {
			to = "n" + strings.Repeat("x", i-1)
		}
		doubling += `,"n` + strings.Repeat("x", i) + `":{"allOf":[{"$ref":"#/$defs/` + to + `"},{"$ref":"#/$defs/` + to + `"}]}`
	}
	doubling += `},"$ref":"#/$defs/n` + strings.Repeat("x", 59) + `"}`
	for _, schema := range []string{doubling, `{"$ref":"file:///etc/passwd"}`, `{"$schema":"file:///etc/passwd"}`, `{"$schema":"http://127.0.0.1:1/x"}`,
		`{"type":"objekt"}`, `{"properties":1}`, `{"pattern":"("}`, `[]`, `5`, `{"$dynamicRef":"#a"}`} {
		var e *wasmhost.LoadError
		if err := CheckSettings("guard", json.RawMessage(schema), json.RawMessage(`{"a":"b"}`)); !errors.As(err, &e) || e.Code != wasmhost.CodeManifest {
			t.Errorf("%.80s: %v", schema, err)
		}
	}
}

func FuzzCheckSettings(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"type":"string"}}}`, `{"a":1}`)
	f.Add(`{"enum":[1,"a",null]}`, `2`)
	f.Add(`{"$id":"x","pattern":"^a+$"}`, `"b"`)
	f.Fuzz(func(t *testing.T, schema, settings string) {
		if !json.Valid([]byte(settings)) || len(schema) > 64<<10 {
			return
		}
		err := CheckSettings("guard", json.RawMessage(schema), json.RawMessage(settings))
		var e *wasmhost.LoadError
		if err != nil && (!errors.As(err, &e) || e.Found == "" || strings.ContainsRune(e.Found, '\n')) {
			t.Errorf("%v", err)
		}
	})
}
