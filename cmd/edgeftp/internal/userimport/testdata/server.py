from pyftpdlib.authorizers import DummyAuthorizer

# authorizer.add_user("comment", "x", "/y")
authorizer = DummyAuthorizer()
authorizer.add_user("user", 'it\'s 12345', "/srv/ftp/user", perm="elradfmwMT", msg_login="Hello.")
authorizer.add_user(
    username="two",  # the second
    password="p w", homedir="/srv/ftp/two")
authorizer.add_user(os.environ["NAME"], "x", "/z")
authorizer.add_user("sum", "a" + b, "/z")
authorizer.override_perm("user", "/srv/ftp/user/in", "elw", recursive=True)
authorizer.override_perm("two", "/elsewhere", "elw")
authorizer.add_anonymous("/srv/pub")
print('authorizer.add_user("quoted", "x", "/y")')
