package config

import (
	"bytes"
	"fmt"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// YAML returns the configuration as a file that Load reads to an equal Config
// (but for the made-up Password, of which only the hash is in the file). Every
// key that has a value is written out. What stood behind ${...} is written as it is,
// but for a [Secret], in the place of which the ${...} itself is written; for one that
// the configuration held itself there is an environment variable, see
// [Config.Unwritten].
func (c *Config) YAML() ([]byte, error) {
	head := "# A configuration of edgeftp: edgeftp serve --config FILE\n"
	if names := c.Unwritten(); len(names) > 0 {
		head += "# Secrets are not written; these variables of the environment are to hold them: " + strings.Join(names, ", ") + "\n"
	}
	return write(head, c.file(), nil)
}

// write returns what JSON says of a value as YAML, below the head. remarks are comments by
// the keys that they stand above.
func write(head string, value any, remarks map[string]string) ([]byte, error) {
	// JSON is YAML: it is parsed to nodes, and these are written in YAML's own style.
	data, err := marshal(value)
	if err != nil {
		return nil, err
	}
	var node yaml.Node
	// YAML does not allow DEL as it is; JSON does.
	if err := yaml.Load(bytes.ReplaceAll(data, []byte{0x7f}, []byte(`\u007f`)), &node); err != nil {
		return nil, fmt.Errorf("the configuration cannot be written: %w", err)
	}
	restyle(&node, nil)
	remark(&node, nil, remarks)
	var b bytes.Buffer
	b.WriteString(head)
	d, err := yaml.NewDumper(&b, yaml.WithV4Defaults(), yaml.WithLineWidth(-1))
	if err != nil {
		return nil, err
	}
	if err = d.Dump(&node); err == nil {
		err = d.Close()
	}
	return b.Bytes(), err
}

// remark puts comments above their keys.
func remark(n *yaml.Node, path []string, remarks map[string]string) {
	for i, inner := range n.Content {
		switch n.Kind {
		case yaml.MappingNode:
			if i%2 == 1 {
				continue
			}
			at := sub(path, inner.Value)
			if text := remarks[dotted(at)]; text != "" {
				inner.HeadComment = text
			}
			remark(n.Content[i+1], at, remarks)
		case yaml.SequenceNode:
			remark(inner, sub(path, fmt.Sprint(i)), remarks)
		default:
			remark(inner, path, remarks)
		}
	}
}

// restyle lets the writer choose how each value looks, and keeps ${ in values
// from being expanded when they are read.
func restyle(n *yaml.Node, path []string) {
	n.Style = 0
	switch n.Kind {
	case yaml.ScalarNode:
		if n.ShortTag() == "!!str" && !inSettings(path) && !isTemplate(path) && !isSecret(path) {
			n.Value = strings.ReplaceAll(n.Value, "${", "$${")
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			n.Content[i].Style = 0
			restyle(n.Content[i+1], sub(path, n.Content[i].Value))
		}
		if len(n.Content) == 0 {
			n.Style = yaml.FlowStyle
		}
	default:
		for i, item := range n.Content {
			at := path
			if n.Kind == yaml.SequenceNode {
				at = sub(path, fmt.Sprint(i))
			}
			restyle(item, at)
		}
		if len(n.Content) == 0 {
			n.Style = yaml.FlowStyle
		}
	}
}

// file is the reverse of checker.config.
func (c *Config) file() *file {
	f := &file{
		Version: 1,
		Instance: fileInstance{Name: c.Instance.Name, StateDir: c.Instance.StateDir, DrainTimeout: formatDuration(c.Instance.DrainTimeout),
			User: textOrNumber(c.Instance.User), AllowRoot: c.Instance.AllowRoot},
		Certificates: fileCertificates{ACME: c.ACME.file(), Files: []fileCertificate{}},
		Limits:       c.Limits.file(),
		Defender:     c.Defender.file(),
		Listing:      fileListing{HideDotFiles: c.HideDotFiles},
		Bandwidth:    bandwidthFile(c.Bandwidth),
		Transfer:     c.Transfer.file(),
		Users:        c.usersFile(),
		Hosts:        c.hostsFile(),
		Storage:      c.storageFile(),
		Policies:     c.Policies.file(),
		Events:       fileEvents{File: c.Events, Sinks: orEmpty(c.sinksFile())},
		Notify:       c.Notify.file(),
		Sandbox:      fileSandbox{Landlock: c.Sandbox.Landlock, Seccomp: onOff(c.Sandbox.Seccomp)},
		Admin:        c.Admin.file(c.Socket),
		I18n:         c.Languages.file(),
	}
	for i := range c.Listeners {
		f.Listeners = append(f.Listeners, c.Listeners[i].file())
	}
	for _, p := range c.Certificates {
		f.Certificates.Files = append(f.Certificates.Files, fileCertificate(p))
	}
	l := &f.Telemetry.Log
	l.Format, l.Level, l.Prefix, l.File, l.Commands, l.Redact = c.Log.Format, c.Log.Level, c.Log.Prefix, c.Log.File, c.Log.Commands, c.Log.Redact
	f.Telemetry.Metrics.Listen, f.Telemetry.Metrics.Path = c.Metrics.Listen, c.Metrics.Path
	f.Telemetry.Audit = fileAudit{File: c.Audit.File, MaxSize: textOrNumber(formatSize(c.Audit.MaxSize))}
	a := &f.Telemetry.AccessLog
	a.File, a.Format, a.Commands = c.AccessLog.File, c.AccessLog.Format, c.AccessLog.Commands
	return f
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
