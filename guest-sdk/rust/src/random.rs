//! Bytes that nobody can predict (ABI §7). Capability `random`.

/// Fills `out`. It cannot fail.
pub fn fill(out: &mut [u8]) {
    for piece in out.chunks_mut(4096) {
        // SAFETY: pointer and length are those of a slice; 4,096 bytes is the host's most.
        unsafe { crate::sys::random(piece.as_mut_ptr(), piece.len()) }
    }
}

/// A random number.
pub fn u64() -> u64 {
    let mut b = [0; 8];
    fill(&mut b);
    u64::from_le_bytes(b)
}
