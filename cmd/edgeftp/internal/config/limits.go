package config

import (
	"strconv"
	"time"

	"github.com/edgeftp/edgeftp/edge"
)

// Limits are what clients may take. Zero is no limit.
type Limits struct {
	Sessions, SessionsPerIP, SessionsPerUser int
	Idle, Login, Stall, Awake                time.Duration
	LoginAttempts                            int
	LoginDelay                               time.Duration
	LoginsParallel                           int // 0 is one for each processor
	LoginsRemember                           time.Duration
	Listing                                  Listing
	Commands, CommandsPerIP                  int   // in a second
	Memory                                   int64 // bytes; or Auto
	Descriptors                              int   // or Auto
	MinRate                                  edge.Rates
	MinRateOver                              time.Duration
	HashesParallel                           int // 0 is one for each processor
	HashTime                                 time.Duration
}

// Auto is the value of a budget that is what the system permits.
const Auto = -1

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
		Awake         textOrNumber `json:"awake"`
	} `json:"timeouts"`
	Logins struct {
		Attempts          int          `json:"attempts"`
		DelayAfterFailure textOrNumber `json:"delay_after_failure"`
		Parallel          int          `json:"parallel"`
		Remember          textOrNumber `json:"remember"`
	} `json:"logins"`
	Listing struct {
		Matches     int    `json:"matches"`
		Directories int    `json:"directories"`
		Depth       int    `json:"depth"`
		Time        string `json:"time"`
		Sort        int    `json:"sort"`
	} `json:"listing"`
	Memory      textOrNumber `json:"memory"`
	Descriptors textOrNumber `json:"descriptors"`
	Transfers   struct {
		MinRate     fileRates `json:"min_rate"`
		MinRateOver string    `json:"min_rate_over"`
	} `json:"transfers"`
	Hashes struct {
		Parallel int          `json:"parallel"`
		Time     textOrNumber `json:"time"`
	} `json:"hashes"`
	Commands      int `json:"commands_per_second"`
	CommandsPerIP int `json:"commands_per_second_per_ip"`
}

// limits needs no check beyond the schema's.
func (f *fileLimits) limits() Limits {
	memory, _ := parseMemoryBudget(string(f.Memory))
	descriptors, _ := parseDescriptors(string(f.Descriptors))
	return Limits{
		Sessions: f.Sessions.Total, SessionsPerIP: f.Sessions.PerIP, SessionsPerUser: f.Sessions.PerUser,
		Idle: f.Timeouts.Idle.duration(), Login: f.Timeouts.Login.duration(), Stall: f.Timeouts.TransferStall.duration(), Awake: f.Timeouts.Awake.duration(),
		LoginAttempts: f.Logins.Attempts, LoginDelay: f.Logins.DelayAfterFailure.duration(), LoginsParallel: f.Logins.Parallel,
		LoginsRemember: f.Logins.Remember.duration(),
		Listing: Listing{Matches: f.Listing.Matches, Directories: f.Listing.Directories, Depth: f.Listing.Depth, Sort: f.Listing.Sort,
			Time: duration(f.Listing.Time)},
		Commands: f.Commands, CommandsPerIP: f.CommandsPerIP, Memory: memory, Descriptors: descriptors,
		MinRate: f.Transfers.MinRate.rates(), MinRateOver: duration(f.Transfers.MinRateOver),
		HashesParallel: f.Hashes.Parallel, HashTime: f.Hashes.Time.duration(),
	}
}

func (l *Limits) file() (f fileLimits) {
	f.Sessions.Total, f.Sessions.PerIP, f.Sessions.PerUser = l.Sessions, l.SessionsPerIP, l.SessionsPerUser
	f.Timeouts.Idle, f.Timeouts.Login = written(l.Idle), written(l.Login)
	f.Timeouts.TransferStall, f.Timeouts.Awake = written(l.Stall), written(l.Awake)
	f.Logins.Attempts, f.Logins.Parallel = l.LoginAttempts, l.LoginsParallel
	f.Logins.DelayAfterFailure, f.Logins.Remember = written(l.LoginDelay), written(l.LoginsRemember)
	f.Commands, f.CommandsPerIP = l.Commands, l.CommandsPerIP
	f.Listing.Matches, f.Listing.Directories, f.Listing.Depth = l.Listing.Matches, l.Listing.Directories, l.Listing.Depth
	f.Listing.Time, f.Listing.Sort = formatDuration(l.Listing.Time), l.Listing.Sort
	f.Memory, f.Descriptors = "auto", "auto"
	if l.Memory != Auto {
		f.Memory = textOrNumber(orElse(formatSize(l.Memory), "0"))
	}
	if l.Descriptors != Auto {
		f.Descriptors = textOrNumber(strconv.Itoa(l.Descriptors))
	}
	f.Transfers.MinRate, f.Transfers.MinRateOver = ratesFile(l.MinRate), formatDuration(l.MinRateOver)
	f.Hashes.Parallel, f.Hashes.Time = l.HashesParallel, written(l.HashTime)
	return f
}

// parseMemoryBudget reads a number of bytes, 0 for no budget, or auto.
func parseMemoryBudget(s string) (int64, error) {
	const least = 32 << 20 // what the program takes by itself, and one password
	switch s {
	case "auto":
		return Auto, nil
	case "0":
		return 0, nil
	}
	n, err := parseSize(s)
	if err == nil && n < least {
		return 0, fault{"is too little", "the least is 32MiB; 0 is no budget, auto what the system permits"}
	}
	return n, err
}

// parseDescriptors reads a number of descriptors, 0 for no budget, or auto.
func parseDescriptors(s string) (int, error) {
	const least, most = 128, 100_000_000
	if s == "auto" {
		return Auto, nil
	}
	n, err := strconv.ParseUint(s, 10, 31)
	switch {
	case err != nil || n > most:
		return 0, fault{"is no number of descriptors", "write a number such as 65536, 0 for no budget, or auto for the limit of the process"}
	case n > 0 && n < least:
		return 0, fault{"is too little", "the least is 128; 0 is no budget, auto the limit of the process"}
	}
	return int(n), nil
}
