import re
S={}
def add(name, text): S[name]=text.strip()+"\n"
add("USER","""
# USER: RFC 959 §4.1.1. The reply does not tell whether the name exists (RFC 2577
# §6). Whoever is logged in and sends USER is logged out (RFC 959 §4.1.1).

== any name is asked for a password
S: 220
C: USER dev
S: 331
C: USER nobody
S: 331
C: user other name with spaces
S: 331

== without an argument, before and after the login
S: 220
C: USER
S: 501
C: USER dev
S: 331
C: PASS secret
S: 230
C: USER
S: 501
C: PWD
S: 257

== a second USER ends the login
login
C: CWD /
S: 250
C: USER other
S: 331
C: PWD
S: 530
C: PASS secret
S: 230
C: PWD
S: 257
event logout

== the transfer parameters begin anew
file /a.txt "one\\ntwo\\n"
login
binary
C: SIZE a.txt
S: 213 8
C: USER dev
S: 331
C: PASS secret
S: 230
C: SIZE a.txt
S: 550

== the last name counts
S: 220
C: USER dev
S: 331
C: USER nobody
S: 331
C: PASS secret
S: 530

== where TLS is required
server tls control
S: 220
C: USER dev
S: 550 *AUTH TLS*
C: PASS secret
S: 503
C: AUTH TLS
S: 234
tls
C: USER dev
S: 331
C: PASS secret
S: 230

== a name with a NUL
S: 220
C: USER dev\\0x
S: 501
C: PASS secret
S: 503
""")
add("PASS","""
# PASS: RFC 959 §4.1.1. Failures are answered in the same words for names that
# exist and those that do not (RFC 2577 §6), and a new USER is needed.

== the right password
S: 220
C: USER dev
S: 331
C: PASS secret
S: 230
event login

== before USER
S: 220
C: PASS secret
S: 503

== when logged in
login
C: PASS secret
S: 503

== wrong passwords, all in the same words
server attempts 20
S: 220
C: USER dev
S: 331
C: PASS wrong
S: 530 <text>
C: PASS secret
S: 503
C: USER nobody
S: 331
C: PASS secret
S: 530 {text}
C: USER dev
S: 331
C: PASS
S: 530 {text}
C: USER dev
S: 331
C: PASS Secret
S: 530 {text}
C: USER dev
S: 331
C: PASS secret\\x20
S: 530 {text}
C: USER dev
S: 331
C: PASS secre
S: 530 {text}
C: USER Dev
S: 331
C: PASS secret
S: 530 {text}
event login_failed

== a stored argon2id hash
server hash argon2id
S: 220
C: USER dev
S: 331
C: PASS wrong
S: 530 <text>
C: USER nobody
S: 331
C: PASS secret
S: 530 {text}
C: USER dev
S: 331
C: PASS secret
S: 230

== a stored bcrypt hash
server hash bcrypt
S: 220
C: USER dev
S: 331
C: PASS wrong
S: 530
C: USER dev
S: 331
C: PASS secret
S: 230

== a stored hash that cannot be used lets nobody in
server hash broken
S: 220
C: USER dev
S: 331
C: PASS secret
S: 530
event policy_failed

== the third failure closes the connection
S: 220
C: USER dev
S: 331
C: PASS a
S: 530
C: USER dev
S: 331
C: PASS b
S: 530
C: USER dev
S: 331
C: PASS c
S: 530 *closing*
closed

== AUTH does not forgive failures
server attempts 2
S: 220
C: USER dev
S: 331
C: PASS a
S: 530
C: AUTH TLS
S: 234
tls
C: USER dev
S: 331
C: PASS b
S: 530
closed

== a user has as many sessions as allowed
server max-sessions 1
login
session second
S: 220
C: USER dev
S: 331
C: PASS secret
S: 421
C: USER other
S: 331
C: PASS secret
S: 230

== the policy's own words
server welcome "Welcome to the\\nTest"
S: 220
C: USER dev
S: 331
C: PASS secret
S: 230-Welcome to the
S: 230 Test

== a home directory
server home /home/dev
file /home/dev/a.txt "x"
login
C: PWD
S: 257 "/home/dev" *
C: CWD ~
S: 250
C: CWD /
S: 250
C: CWD ~
S: 250 "/home/dev" *

== a home directory that is not there
server home /nowhere
S: 220
C: USER dev
S: 331
C: PASS secret
S: 530
C: PWD
S: 530
""")
add("REIN","""
# REIN: RFC 959 §4.1.1

== the session is as new
file /a.txt "x"
login
binary
C: REST 1
S: 350
C: RNFR a.txt
S: 350
C: REIN
S: 220
C: PWD
S: 530
C: USER dev
S: 331
C: PASS secret
S: 230
C: SIZE a.txt
S: 550
C: RNTO b.txt
S: 503
event logout

== refusals
S: 220
C: REIN
S: 530
C: REIN now
S: 501
C: USER dev
S: 331
C: PASS secret
S: 230
C: REIN now
S: 501
C: PWD
S: 257

== a running transfer ends first
login
binary
C: EPSV
S: 229
C: STOR a.txt
S: 150
data connect
C: REIN
data send "hello"
data close
S: 226
S: 220
exists /a.txt "hello"
C: PWD
S: 530

== a prepared data port is closed
login
C: EPSV
S: 229
C: REIN
S: 220
data refused
""")
add("QUIT","""
# QUIT: RFC 959 §4.1.1

== before the login
S: 220
C: QUIT
S: 221
closed

== after the login
login
C: QUIT
S: 221 Goodbye.
closed
event logout
event disconnect

== with an argument
S: 220
C: QUIT now
S: 501
C: QUIT
S: 221
closed

== the policy's own words
server farewell "Come back soon."
login
C: QUIT
S: 221 Come back soon.
closed

== during a transfer: 226, then 221
login
binary
C: EPSV
S: 229
C: STOR a.txt
S: 150
data connect
data send "hel"
C: QUIT
data send "lo"
data close
S: 226
S: 221
closed
exists /a.txt "hello"

== what follows it is not carried out
login
raw "QUIT\\r\\nMKD /d\\r\\n"
S: 221
closed
gone
absent /d

== a prepared data port is closed
login
C: EPSV
S: 229
C: QUIT
S: 221
closed
gone
data-port refused
""")
cwd="""
# {V}: {R}. Without an argument it leads to the root; ~ is the start directory.

== directories
dir /d/e
dir "/with space"
login
C: {V} d
S: 250 "/d" *
C: {V} e
S: 250 "/d/e" *
C: {V} ..
S: 250 "/d" *
C: {V}
S: 250 "/" *
C: {V} /d/e/
S: 250 "/d/e" *
C: {V} ../../..
S: 250 "/" *
C: {V} with space
S: 250 "/with space" *
C: {V} ~
S: 250 "/" *
C: {V} ~/d
S: 250 "/d" *

== refusals
file /f "x"
dir /d
login
C: {V} missing
S: 550
C: {V} f
S: 550
C: {V} f/x
S: 550
C: {V} a\\0b
S: 501
C: PWD
S: 257 "/" *

== not logged in
S: 220
C: {V} /
S: 530
C: {V}
S: 530

== no permission
server perms lradfmwMT
dir /d
login
C: {V} /d
S: 550
C: {V}
S: 550

== a policy rewrites the path
server rewrite /alias /d
dir /d
dir /alias
login
C: {V} alias
S: 250 "/d" *

== a policy hides the directory
server hide /d
dir /d
login
C: {V} d
S: 550 No such file or directory.
C: {V} missing
S: 550 No such file or directory.
"""
cdup="""
# {V}: {R}

== up to the root and not further
dir /d/e
login
C: CWD /d/e
S: 250
C: {V}
S: 250 "/d" *
C: {V}
S: 250 "/" *
C: {V}
S: 250 "/" *

== refusals
S: 220
C: {V}
S: 530
C: {V} now
S: 501
C: USER dev
S: 331
C: PASS secret
S: 230
C: {V} now
S: 501

== no permission
server perms lradfmwMT
login
C: {V}
S: 550
"""
pwd="""
# {V}: {R}; quotes in the path are doubled (RFC 959 Appendix II)

== the working directory
dir "/a\\"b"
login
C: {V}
S: 257 "/" *
C: CWD a"b
S: 250
C: {V}
S: 257 "/a""b" *

== refusals
S: 220
C: {V}
S: 530
C: {V} now
S: 501
C: USER dev
S: 331
C: PASS secret
S: 230
C: {V} now
S: 501
"""
mkd="""
# {V}: {R}; quotes in the path are doubled (RFC 959 Appendix II)

== a directory is made
login
C: {V} d
S: 257 "/d" *
is-dir /d
C: CWD d
S: 250
C: {V} e"f
S: 257 "/d/e""f" *
is-dir "/d/e\\"f"
C: {V} ../g
S: 257 "/g" *
is-dir /g
event dir_created "/g"

== refusals
file /f "x"
dir /d
login
C: {V}
S: 501
C: {V} d
S: 550
C: {V} f
S: 550
C: {V} missing/e
S: 550
C: {V} /
S: 550

== not logged in
S: 220
C: {V} d
S: 530
C: {V}
S: 501
absent /d

== no permission
server perms elradfwMT
login
C: {V} d
S: 550
absent /d

== a policy refuses
server deny mkdir "No directories here."
login
C: {V} d
S: 550 No directories here. (ref *)
absent /d
event denied
"""
rmd="""
# {V}: {R}

== an empty directory is removed
dir /d/e
login
C: {V} d/e
S: 250
absent /d/e
C: {V} /d
S: 250
absent /d
event dir_removed "/d"

== refusals
file /f "x"
file /full/a "x"
login
C: {V}
S: 501
C: {V} missing
S: 550
C: {V} f
S: 550
C: {V} full
S: 550
C: {V} /
S: 550
exists /f
exists /full/a

== not logged in
dir /d
S: 220
C: {V} d
S: 530
C: {V}
S: 501
is-dir /d

== no permission
server perms elrafmwMT
dir /d
login
C: {V} d
S: 550
is-dir /d

== a policy refuses
server deny rmdir "It stays."
dir /d
login
C: {V} d
S: 550 It stays. (ref *)
is-dir /d
"""
for v,x,t,sec in [("CWD","XCWD",cwd,"1"),("CDUP","XCUP",cdup,"1"),("PWD","XPWD",pwd,"3"),("MKD","XMKD",mkd,"3"),("RMD","XRMD",rmd,"3")]:
    add(v,t.replace("{V}",v).replace("{R}","RFC 959 §4.1."+sec))
    add(x,t.replace("{V}",x).replace("{R}","the older name of "+v+" (RFC 775), RFC 1123 §4.1.3.1"))
add("DELE","""
# DELE: RFC 959 §4.1.3

== a file is deleted
file /d/a.txt "x"
login
C: CWD d
S: 250
C: DELE a.txt
S: 250
absent /d/a.txt
event file_deleted "/d/a.txt"

== refusals
dir /d
login
C: DELE
S: 501
C: DELE missing
S: 550
C: DELE d
S: 550
C: DELE /
S: 550
is-dir /d

== not logged in
file /a.txt "x"
S: 220
C: DELE a.txt
S: 530
C: DELE
S: 501
exists /a.txt

== no permission
server perms elrafmwMT
file /a.txt "x"
login
C: DELE a.txt
S: 550
exists /a.txt

== a policy refuses
server deny delete "It stays."
file /a.txt "x"
login
C: DELE a.txt
S: 550 It stays. (ref *)
exists /a.txt

== a symbolic link goes, not what it leads to
file /a.txt "x"
link /l "a.txt"
login
C: DELE l
S: 250
absent /l
exists /a.txt "x"

== an interrupted upload of one's own
login
binary
C: EPSV
S: 229
C: STOR a.txt
S: 150
data connect
data send "hello"
data reset
S: 426
C: SIZE a.txt
S: 213
C: DELE a.txt
S: 250
not-kept /a.txt
C: SIZE a.txt
S: 550
""")
add("RNFR","""
# RNFR: RFC 959 §4.1.3. What it names is remembered, whatever comes between,
# until an RNTO.

== it is remembered over other commands
file /a.txt "x"
login
C: RNFR a.txt
S: 350
C: PWD
S: 257
C: NOOP
S: 200
C: RNTO b.txt
S: 250
absent /a.txt
exists /b.txt "x"

== the last one counts
file /a.txt "a"
file /b.txt "b"
login
C: RNFR a.txt
S: 350
C: RNFR b.txt
S: 350
C: RNTO c.txt
S: 250
exists /a.txt "a"
exists /c.txt "b"

== a failed one leaves nothing
file /a.txt "a"
login
C: RNFR a.txt
S: 350
C: RNFR missing
S: 550
C: RNTO c.txt
S: 503
exists /a.txt "a"

== refusals
login
C: RNFR
S: 501
C: RNFR missing
S: 550
C: RNFR /
S: 550

== not logged in
file /a.txt "x"
S: 220
C: RNFR a.txt
S: 530
C: RNFR
S: 501

== no permission
server perms elradmwMT
file /a.txt "x"
login
C: RNFR a.txt
S: 550
C: RNTO b.txt
S: 503
exists /a.txt
""")
add("RNTO","""
# RNTO: RFC 959 §4.1.3

== a file is renamed
file /a.txt "x"
dir /d
login
C: RNFR a.txt
S: 350
C: RNTO d/b.txt
S: 250
absent /a.txt
exists /d/b.txt "x"
event file_renamed "/a.txt"

== an existing file is replaced
file /a.txt "a"
file /b.txt "b"
login
C: RNFR a.txt
S: 350
C: RNTO b.txt
S: 250
absent /a.txt
exists /b.txt "a"

== a directory is renamed
file /d/a.txt "a"
login
C: RNFR d
S: 350
C: RNTO e
S: 250
exists /e/a.txt "a"

== refusals
file /a.txt "a"
dir /d
login
C: RNTO b.txt
S: 503
C: RNTO
S: 501
C: RNFR a.txt
S: 350
C: RNTO missing/b.txt
S: 550
C: RNTO b.txt
S: 503
C: RNFR a.txt
S: 350
C: RNTO d
S: 550
C: RNFR d
S: 350
C: RNTO d/e
S: 550
C: RNFR a.txt
S: 350
C: RNTO /
S: 550
exists /a.txt "a"
is-dir /d

== not logged in
S: 220
C: RNTO b.txt
S: 530
C: RNTO
S: 501

== the permission is needed for both names
server perms elradfmwMT
server rule /locked elr recursive
file /a.txt "a"
file /locked/b.txt "b"
login
C: RNFR a.txt
S: 350
C: RNTO locked/a.txt
S: 550
C: RNFR locked/b.txt
S: 550
exists /a.txt "a"
exists /locked/b.txt "b"

== no permission
server perms elradmwMT
file /a.txt "x"
login
C: RNFR a.txt
S: 550

== a policy refuses the new name
server deny rename "No renaming."
file /a.txt "a"
login
C: RNFR a.txt
S: 550 No renaming. (ref *)
C: RNTO b.txt
S: 503
exists /a.txt "a"

== a policy hides the new name
server hide /secret
file /a.txt "a"
dir /secret
login
C: RNFR a.txt
S: 350
C: RNTO /secret
S: 550 No such file or directory.
exists /a.txt "a"
""")
for k,v in S.items(): open(k+".txt","w").write(v)
