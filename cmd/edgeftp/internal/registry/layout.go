package registry

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
)

// maxEntries bounds the files of a layout; Save writes seven at most.
const maxEntries = 64

// Saved is an artifact as a file carries it.
type Saved struct {
	Artifact Artifact
	Manifest string // the digest of its manifest
	Layout   []byte // a tar of an OCI image layout; the same artifact and tag give the same bytes
}

// Save fetches an artifact as Pull does.
func (c *Client) Save(ctx context.Context, ref Ref) (*Saved, error) {
	p, err := c.fetch(ctx, ref)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := p.write(&b, ref.tag); err != nil {
		return nil, err
	}
	return &Saved{Artifact: *p.artifact(), Manifest: p.manifest.Digest.String(), Layout: b.Bytes()}, nil
}

func (p *packed) write(w io.Writer, tag string) error {
	d := p.manifest
	d.ArtifactType = ArtifactType
	if tag != "" {
		d.Annotations = map[string]string{ocispec.AnnotationRefName: tag}
	}
	layout, err := json.Marshal(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if err != nil {
		return err
	}
	index, err := json.Marshal(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{d}})
	if err != nil {
		return err
	}
	out := tar.NewWriter(w)
	put := func(name string, b []byte) {
		if err == nil {
			err = out.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(b)), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR})
		}
		if err == nil {
			_, err = out.Write(b)
		}
	}
	put(ocispec.ImageLayoutFile, layout)
	put(ocispec.ImageIndexFile, index)
	written := map[string]bool{}
	for _, b := range append([]blob{{p.manifest, p.bytes}}, p.blobs...) {
		if name := blobName(b.Descriptor); !written[name] {
			written[name] = true
			put(name, b.bytes)
		}
	}
	return errors.Join(err, out.Close())
}

func blobName(d ocispec.Descriptor) string {
	return path.Join(ocispec.ImageBlobsDir, d.Digest.Algorithm().String(), d.Digest.Encoded())
}

// Load reads an artifact from a tar of an OCI image layout that holds this one
// alone, and returns the digest of its manifest beside it. Name says where the tar
// came from, for the words of an error. All is held to its digest.
func Load(ctx context.Context, name string, r io.Reader) (*Artifact, string, error) {
	files, err := untar(io.LimitReader(r, MaxLayout+1))
	if err != nil {
		return nil, "", noLayout(name, clean(err.Error()))
	}
	var layout ocispec.ImageLayout
	if err := json.Unmarshal(files[ocispec.ImageLayoutFile], &layout); err != nil || layout.Version != ocispec.ImageLayoutVersion {
		return nil, "", noLayout(name, fmt.Sprintf("no file %s of version %s", ocispec.ImageLayoutFile, ocispec.ImageLayoutVersion))
	}
	var index ocispec.Index
	if err := json.Unmarshal(files[ocispec.ImageIndexFile], &index); err != nil {
		return nil, "", noLayout(name, "no "+ocispec.ImageIndexFile+" that is JSON")
	}
	if n := len(index.Manifests); n != 1 {
		return nil, "", noLayout(name, fmt.Sprintf("%d artifacts", n))
	}
	d := index.Manifests[0]
	from := content.FetcherFunc(func(_ context.Context, d ocispec.Descriptor) (io.ReadCloser, error) {
		if err := d.Digest.Validate(); err != nil {
			return nil, err
		}
		b, ok := files[blobName(d)]
		if !ok {
			return nil, fmt.Errorf("%s: %w", blobName(d), errdef.ErrNotFound)
		}
		return io.NopCloser(bytes.NewReader(b)), nil
	})
	manifest, err := from.Fetch(ctx, d)
	if err != nil {
		return nil, "", noLayout(name, clean(err.Error()))
	}
	p, err := unpack(ctx, name, from, d, manifest)
	var told *Error
	switch {
	case errors.As(err, &told):
		return nil, "", told
	case err != nil:
		return nil, "", noLayout(name, clean(err.Error()))
	}
	return p.artifact(), p.manifest.Digest.String(), nil
}

func noLayout(name, found string) error {
	return &Error{What: name + " is not a saved policy module", Found: found, Needs: "a tar of an OCI image layout with one artifact, whole",
		Help: "edgeftp policy save writes one; copy it again if it was cut off on the way"}
}

// untar reads the plain files of a small tar.
func untar(r io.Reader) (map[string][]byte, error) {
	files, left := map[string][]byte{}, int64(MaxLayout)
	in := tar.NewReader(r)
	for n := 0; ; n++ {
		h, err := in.Next()
		switch {
		case errors.Is(err, io.EOF) && n > 0:
			return files, nil
		case errors.Is(err, io.EOF):
			return nil, errors.New("it is empty")
		case err != nil && n == 0:
			return nil, errors.New("it is no tar, or not whole")
		case err != nil:
			return nil, err
		case n == maxEntries:
			return nil, fmt.Errorf("more than %d files", maxEntries)
		case h.Typeflag != tar.TypeReg:
			continue // directories; a link leads nowhere here
		}
		b, err := io.ReadAll(io.LimitReader(in, left+1))
		if err != nil {
			return nil, err
		}
		if left -= int64(len(b)); left < 0 {
			return nil, fmt.Errorf("more than %d bytes", MaxLayout)
		}
		files[path.Clean(h.Name)] = b
	}
}
