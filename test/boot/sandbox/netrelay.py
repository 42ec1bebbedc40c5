#!/usr/bin/python3
"""netrelay.py NETNS PORT: listens on 127.0.0.1:PORT inside the network namespace NETNS and forwards each connection to
127.0.0.1:PORT of the namespace it was started in. A socket stays in the namespace that it was made in."""

import ctypes
import fcntl
import os
import socket
import struct
import sys
import threading

SIOCSIFFLAGS = 0x8914
IFF_UP = 1
RESET_ON_CLOSE = struct.pack("ii", 1, 0)

libc = ctypes.CDLL(None, use_errno=True)


def enter(namespace):
    if libc.setns(namespace, 0):
        raise OSError(ctypes.get_errno(), "setns")


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end, how in ((source, socket.SHUT_RD), (sink, socket.SHUT_WR)):
        try:
            end.shutdown(how)
        except OSError:
            pass


port = int(sys.argv[2])
home = os.open("/proc/self/ns/net", os.O_RDONLY)
enter(os.open(sys.argv[1], os.O_RDONLY))
listener = socket.socket()
fcntl.ioctl(listener, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
listener.bind(("127.0.0.1", port))
listener.listen(64)
enter(home)
print("ready", flush=True)

while True:
    inside, _ = listener.accept()
    try:
        outside = socket.create_connection(("127.0.0.1", port))
    except OSError:
        inside.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        inside.close()
        continue
    for pair in ((inside, outside), (outside, inside)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
