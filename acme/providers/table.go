package providers

import (
	"github.com/libdns/cloudflare"
	"github.com/libdns/desec"
	"github.com/libdns/hetzner/v2"
	"github.com/libdns/rfc2136"

	"github.com/edgeftp/edgeftp/acme"
)

// all are the providers, in the order of the alphabet.
func all() []provider {
	return []provider{acmeDNS(), cloudflareDNS(), deSEC(), hetznerDNS(), update(), amazon()}
}

func acmeDNS() provider {
	return provider{
		Provider: Provider{
			Name:  "acmedns",
			What:  "an acme-dns server: a small DNS server of one's own that holds challenges alone",
			Needs: "POST to /register of the server makes an account; then `_acme-challenge.NAME` is to be a CNAME to the `fulldomain` of the answer. An account holds two records, enough for NAME and \\*.NAME: other names want accounts of their own, in a file",
			Settings: []Setting{
				{Name: "server_url", Required: true, Help: "the URL of the server's API, like https://auth.example.org"},
				{Name: "username", Help: "of the account, from the answer to /register"},
				{Name: "password", Secret: true, Help: "of the account, from the answer to /register"},
				{Name: "subdomain", Help: "of the account, from the answer to /register"},
				{Name: "accounts", Help: "in place of the three: a JSON file {\"example.org\": {\"username\": …, \"password\": …, \"subdomain\": …, \"fulldomain\": …}} with an account for each name, as other ACME clients keep it"},
			},
		},
		also:   []string{"acme-dns", "acme_dns", "joohoi"},
		checks: map[string]check{"server_url": webAddress, "subdomain": label},
		whole:  checkAccounts,
		open:   openACMEDNS,
		hints: []hint{
			{"HTTP 401", "the server does not accept the account", "compare username, password and subdomain with the answer of /register; with allowfrom, this machine's address has to be in it"},
			{"bad_subdomain", "the subdomain is not the account's", "write subdomain, not fulldomain, from the answer of /register"},
			{"no account", "", "register an account for the name, add it to the file, and point _acme-challenge of the name at its fulldomain by a CNAME"},
		},
	}
}

func cloudflareDNS() provider {
	return provider{
		Provider: Provider{
			Name:  "cloudflare",
			What:  "Cloudflare",
			Needs: "make an API token with Zone / DNS / Edit and Zone / Zone / Read for the zone (My Profile, API Tokens)",
			Settings: []Setting{
				{Name: "api_token", Required: true, Secret: true, Help: "an API token with Zone / DNS / Edit; not the global API key"},
				{Name: "zone_token", Secret: true, Help: "an API token with Zone / Zone / Read, if api_token has not"},
			},
		},
		also:   []string{"cf"},
		checks: map[string]check{"api_token": cloudflareToken, "zone_token": cloudflareToken},
		open: func(s map[string]string) (acme.Provider, error) {
			return &cloudflare.Provider{APIToken: s["api_token"], ZoneToken: s["zone_token"], HTTPClient: client()}, nil
		},
		hints: []hint{
			{"expected 1 zone", "the token sees no such zone", "the token needs Zone / Zone / Read for this zone (or add zone_token), and the zone has to be in the token's account"},
			{"HTTP 401", "the API does not accept the token", "make a new API token with Zone / DNS / Edit; write the token alone, without Bearer"},
			{"HTTP 403", "the token may not change the zone", "give the token Zone / DNS / Edit and Zone / Zone / Read for this zone"},
			{"HTTP 400", "the API does not understand the request, which a malformed token is a cause of", "write the API token alone, without Bearer and quotes"},
		},
		tells: true,
	}
}

func deSEC() provider {
	return provider{
		Provider: Provider{
			Name:  "desec",
			What:  "the deSEC service (desec.io, dedyn.io)",
			Needs: "make a token (Token Management). Records live for an hour at least: `ttl` has no effect below 3600 seconds. How often a zone may be changed is limited",
			Settings: []Setting{
				{Name: "token", Required: true, Secret: true, Help: "a token of the account; it needs no permission to manage tokens"},
			},
		},
		also: []string{"dedyn"},
		open: func(s map[string]string) (acme.Provider, error) { return &desec.Provider{Token: s["token"]}, nil },
		hints: []hint{
			{"code 401", "the API does not accept the token", "make a new token at desec.io, Token Management"},
			{"code 403", "the token may not change the zone", "give the token write access to TXT records of this zone (its policies), from this machine's address"},
			{"code 404", "the account has no such zone", "add the zone at desec.io, or use the token of the account that has it"},
			{"cooldown", "the API's limit of requests is used up", "wait, the answer says for how long; a wildcard for many names needs fewer changes of the zone"},
		},
	}
}

func hetznerDNS() provider {
	return provider{
		Provider: Provider{
			Name:  "hetzner",
			What:  "Hetzner, zones in the Cloud Console",
			Needs: "make an API token with Read & Write in the project that has the zone (Security, API Tokens). Tokens of the older DNS Console are for another API",
			Settings: []Setting{
				{Name: "api_token", Required: true, Secret: true, Help: "an API token of the Cloud project, with Read & Write"},
			},
		},
		also: []string{"hetznercloud", "hetzner-cloud", "hcloud"},
		open: func(s map[string]string) (acme.Provider, error) { return hetzner.New(s["api_token"]), nil },
		hints: []hint{
			{"(unauthorized)", "the API does not accept the token", "make an API token in the Cloud Console: project, Security, API Tokens; one of the older DNS Console is for another API"},
			{"(forbidden)", "the token may not change the zone", "make an API token with Read & Write"},
			{"(token_readonly)", "the token may only read", "make an API token with Read & Write"},
			{"(not_found)", "the token's project has no such zone", "zones of the older DNS Console have to be moved to the Cloud Console; the token has to be of the project that has the zone"},
			{"TTL", "records of this name are there with another TTL", "remove the TXT records of the name that older orders have left, or set dns.ttl to theirs"},
		},
	}
}

func update() provider {
	return provider{
		Provider: Provider{
			Name:  "rfc2136",
			What:  "a name server of one's own that takes dynamic updates (RFC 2136) with a key (TSIG, RFC 8945): BIND, Knot, PowerDNS and others",
			Needs: "make a key (`tsig-keygen edgeftp`) and let it change TXT records of `_acme-challenge.NAME` alone; BIND: `update-policy { grant edgeftp name _acme-challenge.ftp.example.org. TXT; };`. Updates are sent by TCP",
			Settings: []Setting{
				{Name: "server", Required: true, Help: "the zone's primary name server, HOST:PORT, like ns1.example.org:53"},
				{Name: "key_name", Required: true, Help: "the name of the key, as the server has it"},
				{Name: "key_alg", Help: "its algorithm: hmac-sha256 if absent, or hmac-sha512, hmac-sha384, hmac-sha224, hmac-sha1"},
				{Name: "key", Required: true, Secret: true, Help: "the key's secret in base64, as tsig-keygen shows it"},
			},
		},
		also:   []string{"nsupdate", "dynamic", "ddns", "tsig", "bind", "bind9", "named", "knot", "powerdns"},
		checks: map[string]check{"server": hostPort, "key_name": domain, "key_alg": algorithm, "key": base64Text},
		open: func(s map[string]string) (acme.Provider, error) {
			alg := s["key_alg"]
			if alg == "" {
				alg = "hmac-sha256"
			}
			return &rfc2136.Provider{Server: s["server"], KeyName: s["key_name"], KeyAlg: alg, Key: s["key"]}, nil
		},
		hints: []hint{
			{"bad signature", "the server's answer is not signed with the key", "compare key_name, key_alg and key with the server's; the clocks may differ by 5 minutes at most"},
			{"bad authentication", "the server does not accept the key, or is not the zone's primary", "compare key_name, key_alg and key with the server's, and server with the zone's SOA record; the clocks may differ by 5 minutes at most"},
			{"no secrets defined", "the server answers with another key", "write key_name as the server has it"},
			{"bad time", "the clocks of this machine and the server differ by more than 5 minutes", "set the clocks: run an NTP client on both"},
			{"NOTAUTH", "the server does not accept the key, or is not the zone's primary", "compare key_name, key_alg and key with the server's, and server with the zone's SOA record; the clocks may differ by 5 minutes at most"},
			{"REFUSED", "the key may not change the name", "let it: in BIND grant it the name and the type TXT in the zone's update-policy"},
			{"NOTIMP", "the server takes no dynamic updates", "write the zone's primary as server, and allow updates there"},
			{"NOTZONE", "the server does not have this zone", "write the zone's primary (its SOA record names it) as server"},
			{"SERVFAIL", "the server could not change the zone", "its log says why: a zone file that cannot be written, or a frozen zone"},
			{"refused", "nobody listens there", "write the zone's primary and its port (53) as server; updates are sent by TCP"},
			{"timeout", "the server does not answer", "write the zone's primary and its port (53) as server; updates are sent by TCP, which a firewall may drop"},
		},
	}
}

func amazon() provider {
	return provider{
		Provider: Provider{
			Name:  "route53",
			What:  "Amazon Route 53",
			Needs: "make a user with an access key that may `route53:ListHostedZonesByName`, and for the zone `route53:ListResourceRecordSets` and `route53:ChangeResourceRecordSets` (the condition `route53:ChangeResourceRecordSetsNormalizedRecordNames` can hold it to `_acme-challenge.NAME`). Roles of machines, temporary credentials, and what the environment and files have for Amazon's tools (`AWS_…`, `~/.aws`) are not used",
			Settings: []Setting{
				{Name: "access_key_id", Required: true, Help: "the access key's id, AKIA and 16 more"},
				{Name: "secret_access_key", Required: true, Secret: true, Help: "the access key's secret"},
				{Name: "hosted_zone_id", Help: "the id of the zone, like Z0123456789ABC, needed if two public zones have its name or the key may not list zones"},
			},
		},
		also:   []string{"aws", "amazon", "route-53"},
		checks: map[string]check{"access_key_id": accessKey, "hosted_zone_id": zoneID},
		open:   openRoute53,
		hints: []hint{
			{"InvalidClientTokenId", "there is no such access key", "write access_key_id as the console shows it; the key may have been deleted"},
			{"SignatureDoesNotMatch", "secret_access_key is not that of access_key_id", "make a new access key and write both of its parts"},
			{"RequestExpired", "this machine's clock is wrong", "set the clock: run an NTP client"},
			{"RequestTimeTooSkewed", "this machine's clock is wrong", "set the clock: run an NTP client"},
			{"AccessDenied", "the user may not do this", "allow route53:ListHostedZonesByName, ListResourceRecordSets and ChangeResourceRecordSets; with hosted_zone_id the first is not needed"},
			{"NoSuchHostedZone", "there is no zone with this id", "write hosted_zone_id as the console shows it, or leave it out"},
			{"no public zone", "", "add the zone to the account of the key, or use the key of the account that has it"},
			{"public zones", "", "write the id of the one that the registrar's name servers belong to as hosted_zone_id"},
			{"weighted", "", "delegate the name to another zone (dns.delegate): aliases and records of a routing policy are not touched"},
			{"Throttling", "the account's limit of requests is used up", "nothing: it is tried again later"},
		},
	}
}
