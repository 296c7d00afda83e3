package wasmhost

import "github.com/edgeftp/edgeftp/wasmhost/refusal"

// Code names one reason for which a module is refused at load. Codes keep their
// meaning for ever; docs and searches rely on it.
type Code = refusal.Code

// The codes. EF2106 is about capabilities that the operator has not granted.
const (
	CodeTooLarge    Code = "EF2100" // more bytes than the limit
	CodeNoPolicy    Code = "EF2101" // no edgeftp_abi_v* export, or a command
	CodeComponent   Code = "EF2102" // a component, not a core module
	CodeABIVersion  Code = "EF2103" // another version of the ABI
	CodeShape       Code = "EF2104" // an export has the wrong type
	CodeImport      Code = "EF2105" // an import that policies never get
	CodeCapability  Code = "EF2106" // wants what is not granted
	CodeNotWasm     Code = "EF2107" // not WebAssembly at all
	CodeMalformed   Code = "EF2108" // broken, or beyond a limit of the format
	CodeEmptyCustom Code = "EF2109" // a trailing custom section without bytes
	CodeStart       Code = "EF2110" // has a start section
	CodeHook        Code = "EF2111" // a hook that this server does not call
	CodeMemory      Code = "EF2112" // no memory, or more than the limit
	CodeRefused     Code = "EF2113" // failed or refused when it was started
	CodeSettings    Code = "EF2114" // does not take its settings
	CodeNoHook      Code = "EF2115" // takes part in no hook
	CodeCompileTime Code = "EF2116" // compiling took too long
	CodeManifest    Code = "EF2117" // a manifest that cannot be read or kept
	CodeTests       Code = "EF2122" // fails the tests that it brings (EF2118 to EF2121: package trust)
)

// LoadError says why a module was refused, in words for the person who built or
// configured it. After it nothing has changed.
type LoadError = refusal.Error
