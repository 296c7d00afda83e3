# Carries out the jobs that its standard input describes, in one session of
# Python's ftplib. FTP_TLS is ftplib's, or the subclass of a module "resuming"
# beside this file if there is one.
import ftplib
import json
import os
import ssl
import sys

try:
    from resuming import FTP_TLS
except ImportError:
    from ftplib import FTP_TLS


def connect(what):
    if what["tls"]:
        context = ssl.create_default_context(cafile=what["ca"])
        version = ssl.TLSVersion.TLSv1_2 if what["tls"] == "1.2" else ssl.TLSVersion.TLSv1_3
        context.minimum_version = context.maximum_version = version
        ftp = FTP_TLS(context=context, timeout=30)
    else:
        ftp = ftplib.FTP(timeout=30)
    ftp.connect(what["host"], int(what["port"]))
    ftp.login(what["user"], what["password"])
    if what["tls"]:
        ftp.prot_p()
    return ftp


def do(ftp, job):
    task, name, local = job["task"], job["name"], job["local"]
    ftp.cwd("/" + job["folder"])
    if task == "list":
        with open(local, "w") as f:
            for entry, facts in ftp.mlsd():
                f.write(facts.get("size", "-") + " " + entry + "\n")
            ftp.dir(lambda line: f.write(line + "\n"))
            for entry in ftp.nlst():
                f.write(entry + "\n")
    elif task == "put":
        with open(local, "rb") as f:
            ftp.storbinary("STOR " + name, f)
    elif task == "putOn":
        ftp.voidcmd("TYPE I")
        with open(local, "rb") as f:
            begin = f.seek(ftp.size(name))
            ftp.storbinary("STOR " + name, f, rest=begin)
    elif task == "get":
        with open(local, "wb") as f:
            ftp.retrbinary("RETR " + name, f.write)
    elif task == "getOn":
        with open(local, "ab") as f:
            ftp.retrbinary("RETR " + name, f.write, rest=os.path.getsize(local))
    elif task == "rename":
        ftp.rename(name, job["to"])
    elif task == "remove":
        ftp.delete(name)
    elif task == "mkdir":
        ftp.mkd(name)
    elif task == "rmdir":
        ftp.rmd(name)


what = json.load(sys.stdin)
ftp = connect(what)
for job in what["jobs"]:
    try:
        do(ftp, job)
    except OSError as err:  # the data connection broke; the reply says why
        sys.exit(repr(err) + ", " + ftp.getmultiline())
ftp.quit()
