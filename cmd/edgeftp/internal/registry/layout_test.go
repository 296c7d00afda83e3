package registry_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/registry"
)

func save(t *testing.T, s *shop) *registry.Saved {
	t.Helper()
	saved, err := new(registry.Client).Save(t.Context(), s.ref(t, "edge/guard:1.4.0"))
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

func TestSaveAndLoad(t *testing.T) {
	s := open(t)
	digest := push(t, s)
	saved := save(t, s)
	if saved.Manifest != digest || !bytes.Equal(saved.Layout, save(t, s).Layout) {
		t.Errorf("%s, want %s; or the tars differ", saved.Manifest, digest)
	}
	want, _ := sample()
	got, d, err := registry.Load(t.Context(), "x.tar", bytes.NewReader(saved.Layout))
	if err != nil || d != digest || !bytes.Equal(got.Module, want.Module) || !bytes.Equal(got.Signature, want.Signature) {
		t.Errorf("%v, %s", err, d)
	}
	for name, change := range map[string]func(files map[string]string, names []string) []string{
		"no layout":    func(_ map[string]string, n []string) []string { return n[1:] },
		"no index":     func(_ map[string]string, n []string) []string { return slices.Delete(n, 1, 2) },
		"no manifest":  func(_ map[string]string, n []string) []string { return slices.Delete(n, 2, 3) },
		"no module":    func(_ map[string]string, n []string) []string { return slices.Delete(n, 4, 5) },
		"no signature": func(_ map[string]string, n []string) []string { return n[:5] },
		"another module": func(f map[string]string, n []string) []string {
			f[n[4]] = strings.ToUpper(f[n[4]])
			return n
		},
		"two artifacts": func(f map[string]string, n []string) []string {
			f["index.json"] = `{"schemaVersion":2,"manifests":[{},{}]}`
			return n
		},
		"a strange digest": func(f map[string]string, n []string) []string {
			f["index.json"] = `{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:../../x","size":1}]}`
			return n
		},
	} {
		files, names := unpack(t, saved.Layout)
		names = change(files, names)
		_, _, err := registry.Load(t.Context(), "x.tar", bytes.NewReader(tarOf(t, files, names)))
		t.Log(name)
		says(t, err, "x.tar is not a saved policy module")
	}
	for n := 0; n < len(saved.Layout)-1024-512; n += 400 { // the signature, and zeros
		if _, _, err := registry.Load(t.Context(), "x.tar", bytes.NewReader(saved.Layout[:n])); err == nil {
			t.Errorf("the first %d bytes are enough", n)
		}
	}
}

func unpack(t *testing.T, layout []byte) (map[string]string, []string) {
	t.Helper()
	files, names := map[string]string{}, []string(nil)
	for in := tar.NewReader(bytes.NewReader(layout)); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files, names
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(b)
		names = append(names, h.Name)
	}
}

func tarOf(t *testing.T, files map[string]string, names []string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, n := range names {
		if err := w.WriteHeader(&tar.Header{Name: n, Size: int64(len(files[n])), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[n]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestLoadIsBounded(t *testing.T) {
	many, names := map[string]string{}, []string(nil)
	for i := range 100 {
		names = append(names, strings.Repeat("x", i+1))
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "zeros": make([]byte, 4096), "noise": bytes.Repeat([]byte("noise"), 1000), "many files": tarOf(t, many, names),
		"large": tarOf(t, map[string]string{"a": strings.Repeat("x", registry.MaxLayout)}, []string{"a"}),
	} {
		_, _, err := registry.Load(t.Context(), "x.tar", bytes.NewReader(b))
		t.Log(name)
		says(t, err, "x.tar is not a saved policy module", "policy save")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte{})
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range map[string]string{"oci-layout": `{"imageLayoutVersion":"1.0.0"}`,
		"index.json": `{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + someDigest + `","size":0}]}`} {
		if err := errors.Join(w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o644}), func() error { _, err := io.WriteString(w, text); return err }()); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		a, digest, err := registry.Load(context.Background(), "x.tar", bytes.NewReader(b))
		var e *registry.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%v", err)
		}
		if err == nil && (len(a.Module) == 0 || digest == "") {
			t.Error("nothing was loaded")
		}
	})
}
