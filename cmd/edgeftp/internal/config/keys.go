package config

// Keys are the names of all keys that the configuration file may have, such as
// listeners[].tls.mode; nil if the embedded schema is damaged.
func Keys() (all []string) {
	r, err := newReference()
	if err != nil {
		return nil
	}
	for _, k := range r.keys(r.root, "", false, "")[1:] {
		all = append(all, k.path)
	}
	return all
}
