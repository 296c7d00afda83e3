package vfs

// ByDevice makes a Disk that refuses mounts tell them apart as it does on a kernel
// that has no numbers for them.
func (d *Disk) ByDevice() { d.mount = &mount{id: d.dev} }

// HasBelow reports whether d goes the short way.
func (d *Disk) HasBelow() bool { return d.below != nil }

// LookPlainly makes listings of d describe their entries without a looker.
func (d *Disk) LookPlainly() { d.plainLooks = true }
