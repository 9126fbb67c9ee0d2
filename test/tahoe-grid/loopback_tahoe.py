"""The tahoe command, with every listener that it would open to the world kept on 127.0.0.1 (its log port binds to all addresses)."""
import socket
import sys


class LoopbackSocket(socket.socket):
    def bind(self, address):
        if isinstance(address, tuple) and address and address[0] in ("", "0.0.0.0", "::"):
            address = ("127.0.0.1", *address[1:])
        return super().bind(address)


socket.socket = LoopbackSocket

from allmydata.scripts.runner import run  # noqa: E402  (it must see the socket above)

sys.argv[0] = "tahoe"
sys.exit(run())
