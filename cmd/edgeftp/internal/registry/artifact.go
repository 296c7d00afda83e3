package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
)

// Artifact is a module with its signature.
type Artifact struct {
	Module    []byte
	Signature []byte // of a .minisig file; nil if there is none
}

// About is what a manifest says to those who browse a registry. Empty values are
// left out.
type About struct {
	File        string // the name of the module's file, without a path
	Title       string
	Version     string
	Description string
	Licenses    string // SPDX expression
	Source      string
	Created     time.Time // zero: not told, so that the same module gives the same digest
}

// emptyConfig is the configuration of an artifact that has none.
const emptyConfig = "{}"

// packed is an artifact as a registry holds it.
type packed struct {
	manifest ocispec.Descriptor
	bytes    []byte // of the manifest
	blobs    []blob
}

type blob struct {
	ocispec.Descriptor
	bytes []byte
}

// pack makes the manifest. The same module, signature and words give the same
// bytes.
func pack(a Artifact, about About) (*packed, error) {
	if err := bound("module", int64(len(a.Module)), MaxModule); err != nil {
		return nil, err
	}
	p := &packed{}
	layer := func(mediaType, file string, b []byte) ocispec.Descriptor {
		d := content.NewDescriptorFromBytes(mediaType, b)
		if file != "" {
			d.Annotations = map[string]string{ocispec.AnnotationTitle: file}
		}
		p.blobs = append(p.blobs, blob{d, b})
		return d
	}
	signature := ""
	if about.File != "" {
		signature = about.File + ".minisig"
	}
	m := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: ArtifactType,
		Config: layer(ocispec.MediaTypeEmptyJSON, "", []byte(emptyConfig)),
		Layers: []ocispec.Descriptor{layer(ModuleType, about.File, a.Module)}, Annotations: about.annotations()}
	if len(a.Signature) > 0 {
		if err := bound("signature", int64(len(a.Signature)), MaxSignature); err != nil {
			return nil, err
		}
		m.Layers = append(m.Layers, layer(SignatureType, signature, a.Signature))
	}
	var err error
	if p.bytes, err = json.Marshal(m); err != nil {
		return nil, err
	}
	if len(p.bytes) > MaxManifest {
		return nil, &Error{What: "the words about the module are too long for a manifest", Found: fmt.Sprintf("%d bytes", len(p.bytes)), Needs: fmt.Sprintf("%d at most", MaxManifest)}
	}
	p.manifest = content.NewDescriptorFromBytes(m.MediaType, p.bytes)
	p.manifest.ArtifactType = ArtifactType
	return p, nil
}

func (a About) annotations() map[string]string {
	all := map[string]string{ocispec.AnnotationTitle: a.Title, ocispec.AnnotationVersion: a.Version,
		ocispec.AnnotationDescription: a.Description, ocispec.AnnotationLicenses: a.Licenses, ocispec.AnnotationSource: a.Source}
	if !a.Created.IsZero() {
		all[ocispec.AnnotationCreated] = a.Created.UTC().Format(time.RFC3339)
	}
	for key, value := range all {
		if value == "" {
			delete(all, key)
		}
	}
	return all
}

func bound(what string, size, most int64) error {
	if size > 0 && size <= most {
		return nil
	}
	return &Error{What: "the " + what + " has a size that no server takes", Found: fmt.Sprintf("%d bytes", size), Needs: fmt.Sprintf("1 to %d", most)}
}

// unpack reads the artifact that a manifest describes. The descriptor is the
// manifest's as the other side tells it; r reads its bytes.
func unpack(ctx context.Context, where string, from content.Fetcher, d ocispec.Descriptor, r io.Reader) (*packed, error) {
	switch {
	case d.MediaType != ocispec.MediaTypeImageManifest:
		return nil, notOurs(where, "a "+d.MediaType, ocispec.MediaTypeImageManifest)
	case d.Size > MaxManifest:
		return nil, &Error{What: fmt.Sprintf("the manifest of %s is too long", where), Found: fmt.Sprintf("%d bytes", d.Size), Needs: fmt.Sprintf("%d at most", MaxManifest),
			Help: "it is not one that edgeftp policy push made"}
	}
	p := &packed{manifest: d}
	var err error
	if p.bytes, err = content.ReadAll(r, d); err != nil {
		return nil, err
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(p.bytes, &m); err != nil {
		return nil, notOurs(where, "a manifest that is no JSON", "an image manifest")
	}
	layers, err := layersOf(where, &m)
	if err != nil {
		return nil, err
	}
	p.blobs = []blob{{m.Config, []byte(emptyConfig)}}
	for _, l := range layers {
		b, err := content.FetchAll(ctx, from, l)
		if err != nil {
			return nil, err
		}
		p.blobs = append(p.blobs, blob{l, b})
	}
	return p, nil
}

// layersOf holds a manifest to the form that pack gives it, before anything of the
// layers is fetched.
func layersOf(where string, m *ocispec.Manifest) ([]ocispec.Descriptor, error) {
	var types []string
	for i, l := range m.Layers {
		if i == 4 {
			types = append(types, fmt.Sprintf("%d more", len(m.Layers)-i))
			break
		}
		types = append(types, l.MediaType)
	}
	switch {
	case m.ArtifactType != ArtifactType:
		return nil, notOurs(where, fmt.Sprintf("type %q", first(m.ArtifactType, m.Config.MediaType)), ArtifactType)
	case len(types) == 0 || types[0] != ModuleType || len(types) == 2 && types[1] != SignatureType || len(types) > 2:
		return nil, notOurs(where, fmt.Sprintf("layers %q", types), "the layer "+ModuleType+", and with a signature "+SignatureType)
	case m.Config.MediaType != ocispec.MediaTypeEmptyJSON || m.Config.Digest != ocispec.DescriptorEmptyJSON.Digest:
		return nil, notOurs(where, fmt.Sprintf("a configuration %q", m.Config.MediaType), "an empty one, "+ocispec.MediaTypeEmptyJSON)
	}
	if err := bound("module", m.Layers[0].Size, MaxModule); err != nil || len(types) == 1 {
		return m.Layers, err
	}
	return m.Layers, bound("signature", m.Layers[1].Size, MaxSignature)
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func notOurs(where, found, needs string) error {
	return &Error{What: where + " is not a policy module", Found: clean(found), Needs: needs,
		Help: "edgeftp policy push makes one; an image of a program is something else"}
}

// artifact returns what was packed.
func (p *packed) artifact() *Artifact {
	a := &Artifact{Module: p.blobs[1].bytes}
	if len(p.blobs) > 2 {
		a.Signature = p.blobs[2].bytes
	}
	return a
}
