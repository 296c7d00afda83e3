package control

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Configurer has a configuration that can be replaced while it serves. A [Controller] may
// be one.
type Configurer interface {
	// RunningConfig tells what is in force (GET /v1/config).
	RunningConfig() RunningConfig
	// CheckConfig says what ApplyConfig would do, and does nothing (POST
	// /v1/config/validate).
	CheckConfig(ctx context.Context, ask ConfigAsk) (ConfigResult, error)
	// ApplyConfig puts a configuration in force (POST /v1/config/apply). After an error
	// nothing has changed.
	ApplyConfig(ctx context.Context, ask ConfigAsk) (ConfigResult, error)
	// ConfigHistory lists what was in force, the newest first (GET /v1/config/history).
	ConfigHistory() ([]ConfigEntry, error)
	// RollbackConfig puts an earlier configuration in force again, as a new generation;
	// 0 is the one before (POST /v1/config/rollback?to=GENERATION).
	RollbackConfig(ctx context.Context, to uint64) (ConfigResult, error)
}

// RunningConfig is the configuration that is in force.
type RunningConfig struct {
	Generation uint64    `json:"generation"`
	Since      time.Time `json:"since"`
	ETag       string    `json:"etag"`           // for ConfigAsk.Match, and the header If-Match
	File       string    `json:"file,omitempty"` // that serve was given; empty: it was started by flags
	Text       string    `json:"text"`           // as its author wrote it, without secrets
}

// ConfigAsk is a configuration that is to be put in force.
type ConfigAsk struct {
	Text  []byte // of the file; nil: the server reads the one that it was started with
	Match string // ETag of what is in force; empty: whatever is
}

// ConfigChange is one key that a configuration changes. Secrets are hidden.
type ConfigChange struct {
	Key    string `json:"key"`
	From   string `json:"from"`
	To     string `json:"to"`
	Effect string `json:"effect"` // now, new sessions, listener or upgrade
}

// ConfigResult is what has become of a configuration, or would.
type ConfigResult struct {
	Generation uint64         `json:"generation"` // that is in force
	Applied    bool           `json:"applied"`
	Changes    []ConfigChange `json:"changes"`
	// Blocked names what keeps it from being applied to a running server, by key and why;
	// only of CheckConfig.
	Blocked []string `json:"blocked"`
	Notes   []string `json:"notes"` // what the operator should know
}

// ConfigEntry is a configuration that was in force.
type ConfigEntry struct {
	Generation uint64    `json:"generation"`
	Since      time.Time `json:"since"`
	By         string    `json:"by"` // start, SIGHUP, command, or rollback to N
	SHA256     string    `json:"sha256"`
	Changed    []string  `json:"changed"` // keys, at most 50
	Current    bool      `json:"current"`
}

// configType is the media type of a configuration file.
const configType = "application/yaml"

// maxConfig is how many bytes a configuration file may have.
const maxConfig = 1 << 20

// configRoutes adds the paths that [Configurer] names.
func configRoutes(mux *router, c Configurer) {
	mux.HandleFunc("GET /v1/config", func(w http.ResponseWriter, _ *http.Request) {
		now := c.RunningConfig()
		w.Header().Set("ETag", now.ETag)
		answer(w, http.StatusOK, now)
	})
	for path, do := range map[string]func(context.Context, ConfigAsk) (ConfigResult, error){
		"POST /v1/config/validate": c.CheckConfig, "POST /v1/config/apply": c.ApplyConfig} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			ask, ok := readConfig(w, r)
			if !ok {
				return
			}
			result, err := do(r.Context(), ask)
			concludeConfig(w, result, err)
		})
	}
	mux.HandleFunc("GET /v1/config/history", func(w http.ResponseWriter, _ *http.Request) {
		list, err := c.ConfigHistory()
		conclude(w, whole(list), err)
	})
	mux.HandleFunc("POST /v1/config/rollback", func(w http.ResponseWriter, r *http.Request) {
		var to uint64
		var err error
		if text := r.URL.Query().Get("to"); text != "" {
			to, err = strconv.ParseUint(text, 10, 64)
		}
		if err != nil {
			refuse(w, http.StatusBadRequest, &Refusal{Code: CodeConfigRequest, Message: fmt.Sprintf("%.60q is no generation", r.URL.Query().Get("to"))})
			return
		}
		result, err := c.RollbackConfig(r.Context(), to)
		concludeConfig(w, result, err)
	})
}

// readConfig reads a configuration, or refuses the request. An empty body asks for the
// server's own file.
func readConfig(w http.ResponseWriter, r *http.Request) (ask ConfigAsk, ok bool) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxConfig))
	if err != nil {
		refuse(w, http.StatusBadRequest, &Refusal{Code: CodeConfigRequest, Message: fmt.Sprintf("a configuration has at most %d KiB", maxConfig>>10)})
		return ask, false
	}
	ask.Match = r.Header.Get("If-Match")
	if len(text) > 0 {
		ask.Text = text
	}
	return ask, true
}

// concludeConfig is conclude with the status that If-Match asks for: 412.
func concludeConfig(w http.ResponseWriter, result ConfigResult, err error) {
	if r, ok := err.(*Refusal); ok && r.Code == CodeConfigMoved {
		refuse(w, http.StatusPreconditionFailed, r)
		return
	}
	result.Changes, result.Blocked, result.Notes = whole(result.Changes), whole(result.Blocked), whole(result.Notes)
	conclude(w, result, err)
}

// RunningConfig asks for GET /v1/config.
func (c Client) RunningConfig(ctx context.Context) (RunningConfig, error) {
	var now RunningConfig
	err := c.do(ctx, http.MethodGet, "/v1/config", nil, &now)
	return now, err
}

// CheckConfig asks what a configuration would change.
func (c Client) CheckConfig(ctx context.Context, ask ConfigAsk) (ConfigResult, error) {
	return c.sendConfig(ctx, "/v1/config/validate", ask)
}

// ApplyConfig puts a configuration in force.
func (c Client) ApplyConfig(ctx context.Context, ask ConfigAsk) (ConfigResult, error) {
	return c.sendConfig(ctx, "/v1/config/apply", ask)
}

func (c Client) sendConfig(ctx context.Context, path string, ask ConfigAsk) (ConfigResult, error) {
	var result ConfigResult
	r := request{method: http.MethodPost, path: path, kind: configType, body: ask.Text, header: http.Header{}}
	if ask.Match != "" {
		r.header.Set("If-Match", ask.Match)
	}
	err := c.send(ctx, r, &result)
	return result, err
}

// ConfigHistory asks for GET /v1/config/history.
func (c Client) ConfigHistory(ctx context.Context) ([]ConfigEntry, error) {
	var list []ConfigEntry
	err := c.do(ctx, http.MethodGet, "/v1/config/history", nil, &list)
	return list, err
}

// RollbackConfig puts an earlier configuration in force; 0 is the one before.
func (c Client) RollbackConfig(ctx context.Context, to uint64) (ConfigResult, error) {
	var result ConfigResult
	path := "/v1/config/rollback"
	if to > 0 {
		path += "?to=" + url.QueryEscape(strconv.FormatUint(to, 10))
	}
	err := c.do(ctx, http.MethodPost, path, nil, &result)
	return result, err
}
