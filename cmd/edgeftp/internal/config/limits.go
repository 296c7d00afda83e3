package config

import "time"

// Limits are what clients may take. Zero is no limit.
type Limits struct {
	Sessions, SessionsPerIP, SessionsPerUser int
	Idle, Login, Stall                       time.Duration
	LoginAttempts                            int
	LoginDelay                               time.Duration
	LoginsParallel                           int // 0 is one for each processor
	Listing                                  Listing
	Commands, CommandsPerIP                  int // in a second
}

// Listing is what one listing may cost. Zero permits nothing.
type Listing struct {
	Matches, Directories, Depth, Sort int
	Time                              time.Duration
}

type fileLimits struct {
	Sessions struct {
		Total   int `json:"total"`
		PerIP   int `json:"per_ip"`
		PerUser int `json:"per_user"`
	} `json:"sessions"`
	Timeouts struct {
		Idle          textOrNumber `json:"idle"`
		Login         textOrNumber `json:"login"`
		TransferStall textOrNumber `json:"transfer_stall"`
	} `json:"timeouts"`
	Logins struct {
		Attempts          int          `json:"attempts"`
		DelayAfterFailure textOrNumber `json:"delay_after_failure"`
		Parallel          int          `json:"parallel"`
	} `json:"logins"`
	Listing struct {
		Matches     int    `json:"matches"`
		Directories int    `json:"directories"`
		Depth       int    `json:"depth"`
		Time        string `json:"time"`
		Sort        int    `json:"sort"`
	} `json:"listing"`
	Commands      int `json:"commands_per_second"`
	CommandsPerIP int `json:"commands_per_second_per_ip"`
}

// limits needs no check beyond the schema's.
func (f *fileLimits) limits() Limits {
	return Limits{
		Sessions: f.Sessions.Total, SessionsPerIP: f.Sessions.PerIP, SessionsPerUser: f.Sessions.PerUser,
		Idle: f.Timeouts.Idle.duration(), Login: f.Timeouts.Login.duration(), Stall: f.Timeouts.TransferStall.duration(),
		LoginAttempts: f.Logins.Attempts, LoginDelay: f.Logins.DelayAfterFailure.duration(), LoginsParallel: f.Logins.Parallel,
		Listing: Listing{Matches: f.Listing.Matches, Directories: f.Listing.Directories, Depth: f.Listing.Depth, Sort: f.Listing.Sort,
			Time: duration(f.Listing.Time)},
		Commands: f.Commands, CommandsPerIP: f.CommandsPerIP,
	}
}

func (l *Limits) file() (f fileLimits) {
	f.Sessions.Total, f.Sessions.PerIP, f.Sessions.PerUser = l.Sessions, l.SessionsPerIP, l.SessionsPerUser
	f.Timeouts.Idle, f.Timeouts.Login = written(l.Idle), written(l.Login)
	f.Timeouts.TransferStall = written(l.Stall)
	f.Logins.Attempts, f.Logins.Parallel = l.LoginAttempts, l.LoginsParallel
	f.Logins.DelayAfterFailure = written(l.LoginDelay)
	f.Commands, f.CommandsPerIP = l.Commands, l.CommandsPerIP
	f.Listing.Matches, f.Listing.Directories, f.Listing.Depth = l.Listing.Matches, l.Listing.Directories, l.Listing.Depth
	f.Listing.Time, f.Listing.Sort = formatDuration(l.Listing.Time), l.Listing.Sort
	return f
}
