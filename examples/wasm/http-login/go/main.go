// Http-login is a policy that asks an HTTP server who a user is: it fetches the stored
// hash, the home directory and the permissions, and lets the FTP server verify the
// password, which the policy never sees. README.md has the settings.
package main

import (
	"github.com/edgeftp/edgeftp/guest-sdk/go/auth"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/host"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
)

func init() { auth.Export(settings.Into(newDirectory())) }

func main() {}
