# Stores the files of a folder with Python's ftplib and fetches them again.
#
#   manyfiles.py HOST PORT USER PASSWORD CA FOLDER BACK
#
# FTP_TLS is ftplib's, or the subclass of a module "resuming" beside this file if
# there is one.
import ftplib
import os
import ssl
import sys

try:
    from resuming import FTP_TLS
except ImportError:
    from ftplib import FTP_TLS

host, port, user, password, ca, folder, back = sys.argv[1:]
ftp = FTP_TLS(context=ssl.create_default_context(cafile=ca), timeout=30)
ftp.connect(host, int(port))
ftp.login(user, password)
ftp.prot_p()
ftp.mkd("many")
ftp.cwd("many")
for name in sorted(os.listdir(folder)):
    with open(os.path.join(folder, name), "rb") as f:
        ftp.storbinary("STOR " + name, f)
listed = sorted(ftp.nlst())
assert listed == sorted(os.listdir(folder)), listed
assert sorted(name for name, facts in ftp.mlsd() if facts["type"] == "file") == listed
for name in listed:
    with open(os.path.join(back, name), "wb") as f:
        ftp.retrbinary("RETR " + name, f.write)
    assert ftp.size(name) == os.path.getsize(os.path.join(folder, name))
print(len(listed), "files", ftp.sock.version())
ftp.quit()
