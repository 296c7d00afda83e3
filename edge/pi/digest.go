package pi

// Digest names an algorithm of HASH (draft-bryan-ftpext-hash-02 §3) and of the X
// commands.
type Digest string
