// Package module reads and writes the binary format of WebAssembly modules (core
// specification 2.0 §5), with every instruction of it, SIMD included.
//
// It reads bytes that nobody has vetted. What it accepts has its sections once
// and in order, counts that its bytes bear out, names in UTF-8, instructions of
// this version only, blocks that nest, and no index that points outside of what
// the module declares. So a pass that adds functions, globals or locals at the
// end can be sure that no instruction reaches them. It does not check types: the
// compiler does that.
//
// Nothing is allocated on the word of a module, and most of a [Module] are views
// of the bytes that were read: whoever changes those changes the module.
package module
