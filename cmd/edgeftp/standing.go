package main

import "fmt"

// standing is how the server stands, in a line for the service manager. To say so it takes
// the locks without which no session begins or ends.
func (in *instance) standing() string {
	st := in.server.Status()
	how := "serving"
	if st.Draining {
		how = "draining"
	}
	return fmt.Sprintf("%s; %d sessions, %d transfers; configuration %d", how, st.Sessions, st.Transfers, in.now.Load().number)
}
