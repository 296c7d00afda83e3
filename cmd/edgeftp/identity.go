package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/identity"
)

// mayServe refuses to serve as root, unless the operator has said so or named a user to
// become. Who tries the program out on this machine alone is warned.
func mayServe(conf *config.Config, fromFile bool) (warning string, err error) {
	return mayServeAs(conf, fromFile, identity.IsRoot())
}

func mayServeAs(conf *config.Config, fromFile, root bool) (warning string, err error) {
	const why = "a fault in the server would be one in the whole machine"
	switch i := &conf.Instance; {
	case !root || i.AllowRoot || i.User != "":
		return "", nil
	case fromFile:
		err = errors.New("the server does not serve as root: " + why +
			"\n   = help: set instance.user to whom it is to become, or start it as another user; --allow-root if you mean it")
	case !onLoopback(conf):
		err = errors.New("the server does not serve as root on addresses that others can reach: " + why +
			"\n   = help: start it as another user, or listen on 127.0.0.1; --allow-root if you mean it")
	default:
		return "serving as root: " + why, nil
	}
	return "", exitWith(exitConfig, err)
}

// onLoopback reports whether nobody outside of this machine can reach a listener.
func onLoopback(conf *config.Config) bool {
	return !slices.ContainsFunc(conf.Listeners, func(l config.Listener) bool {
		return slices.ContainsFunc(l.Addresses, func(address string) bool {
			host, _, err := net.SplitHostPort(address)
			ip, notIP := netip.ParseAddr(host)
			return err != nil || host != "localhost" && (notIP != nil || !ip.IsLoopback())
		})
	})
}

// settle makes the process who it is to be while it serves. What takes root is done
// before: sockets are bound, and directories and files made for the user.
func (in *generation) settle(ctx context.Context) error {
	as, err := whom(in.conf.Instance.User)
	if err != nil {
		return exitWith(exitConfig, err)
	}
	if as != nil {
		if err := in.handOver(as); err != nil {
			return exitWith(exitConfig, err)
		}
	}
	if err := in.startBuilder(as); err != nil {
		return exitWith(exitFailed, err)
	}
	if as == nil {
		return nil
	}
	if err := in.bind(ctx); err != nil {
		return err
	}
	low := in.lowPorts()
	if err := as.Become(low); err != nil {
		return exitWith(exitFailed, err)
	}
	in.log.Info("root has become another user", "user", as.Name, "uid", as.UID, "gid", as.GID, "groups", as.Groups, "low_ports", low)
	return nil
}

// whom finds the user whom the process is to become, nil where it is to stay who it is.
func whom(name string) (*identity.User, error) {
	if name == "" {
		return nil, nil
	}
	as, err := identity.Lookup(name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("instance.user: %w", err)
	case identity.IsRoot():
		return as, nil
	case os.Geteuid() == int(as.UID) && os.Getegid() == int(as.GID):
		return nil, nil
	}
	return nil, fmt.Errorf("instance.user: only root can become %s\n   = help: start the server as root or as that user, or remove instance.user", as)
}

// handOver sees to it that the user can use what the server keeps.
func (in *generation) handOver(as *identity.User) error {
	for _, dir := range in.conf.Own() {
		if err := as.Adopt(dir); err != nil {
			return fmt.Errorf("instance.user: %w", err)
		}
	}
	for _, file := range []string{in.conf.Log.File, in.conf.Events, in.conf.AccessLog.File, in.conf.Audit.File} {
		if below(in.conf.Instance.StateDir, file) {
			continue // it is the user's already
		}
		if file == "" {
			continue
		}
		if err := as.Provide(file); err != nil {
			return fmt.Errorf("instance.user: %w", err)
		}
	}
	return nil
}

// lowPorts reports whether a port below 1024 is opened later than the listeners' are.
func (in *generation) lowPorts() bool {
	later := []string{in.conf.Metrics.Listen}
	if t := in.conf.Admin.TCP; t != nil {
		later = append(later, t.Listen)
	}
	if a := in.conf.ACME; a != nil {
		later = slices.Concat(later, a.Challenges.HTTP, a.Challenges.TLSALPN)
	}
	return slices.ContainsFunc(later, func(address string) bool {
		_, port, err := net.SplitHostPort(address)
		n, notNumber := strconv.Atoi(port)
		return err == nil && notNumber == nil && n > 0 && n < 1024
	})
}
