"""Runs a program on a terminal of its own and does what is asked of it there.

Arguments: the program and its own. Standard input: a JSON list of steps, each one of
["expect", TEXT], which waits until a whole picture shows TEXT, ["lacks", TEXT], ["send", KEYS],
["size", ROWS, COLUMNS] and ["end"], which waits for the program's end. Standard output: JSON with
the exit code, the last picture, and all that came, as one string.
"""
import fcntl, json, os, pty, select, signal, struct, sys, termios, time

steps = json.load(sys.stdin)
child, fd = pty.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
signal.alarm(120)
came = b""


def picture():
    whole = came.rsplit(b"\x1b[J", 1)[0].rsplit(b"\x1b[H", 1)[-1]
    return whole.replace(b"\x1b[K", b"").decode("utf-8", "replace")


def read(wait):
    global came
    if not select.select([fd], [], [], wait)[0]:
        return True
    try:
        got = os.read(fd, 65536)
    except OSError:  # the program has ended
        return False
    came += got
    return bool(got)


def until(what, holds):
    limit = time.monotonic() + 60
    while not holds():
        if not read(0.2) or time.monotonic() > limit:
            sys.exit("never came: %r; there is\n%s" % (what, picture()))


code = None
for name, *args in steps:
    if name == "expect":
        until(args[0], lambda: args[0] in picture())
    elif name == "lacks":
        until("without " + args[0], lambda: args[0] not in picture())
    elif name == "send":
        os.write(fd, args[0].encode())
    elif name == "size":
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", args[0], args[1], 0, 0))
        os.kill(child, signal.SIGWINCH)
    elif name == "end":
        while read(5):
            pass
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
if code is None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
json.dump({"code": code, "picture": picture(), "all": came.decode("utf-8", "replace")}, sys.stdout)
