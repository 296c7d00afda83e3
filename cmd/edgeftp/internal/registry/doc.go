// Package registry brings policy modules to OCI registries and back: the module
// and its signature become an artifact of two layers, in a registry or in a tar
// of an OCI image layout for machines that reach none.
//
// Everything that comes back is held to its digest and to the bounds of this
// package before a caller sees it. Whether its signer is trusted is the caller's
// question: nothing here decodes a module, and the annotations of a manifest are
// for those who browse a registry. They are never read back.
package registry

// What the artifact consists of. Other layers are refused.
const (
	// ArtifactType is the type of the manifest.
	ArtifactType = "application/vnd.edgeftp.policy.v1"
	// ModuleType is the type of the first layer.
	ModuleType = "application/wasm"
	// SignatureType is the type of the second layer, which a module without a
	// signature does not have: the bytes of a .minisig file.
	SignatureType = "application/vnd.edgeftp.policy.signature.v1"
)

// Bounds in bytes.
const (
	MaxModule    = 8 << 20
	MaxSignature = 4096
	MaxManifest  = 64 << 10 // of OCI
	MaxLayout    = MaxModule + 1<<20
)
