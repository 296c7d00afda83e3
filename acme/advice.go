package acme

// Advice says in one line what an operator can do about the error of an order, as of
// [Manager.Renew].
func Advice(err error) string { return advice(err) }
