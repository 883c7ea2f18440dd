"""A proxy between the application and the PostgreSQL server, which loses what the server answers to a statement."""

import contextlib
import select as sockets
import socket
import threading

BREAK, SWALLOW = "break", "swallow"


class Proxy:
    """A proxy of the server on `port` of loopback; `lose` tells it what to lose, `seen` counts what was sent of it."""

    def __init__(self, port):
        self.server, self.word, self.loss, self.left, self.seen = port, b"", BREAK, 0, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def lose(self, word, times=1, loss=BREAK):
        """Let the next `times` connections that send `word` hear nothing more of the server.

        The server gets it. Then the proxy closes the connection (`BREAK`), or keeps it open in silence (`SWALLOW`).
        """
        self.word, self.left, self.loss, self.seen = word, times, loss, 0

    def refuse(self):
        """Accept no further connection."""
        # This also ends the wait in `accept`, which close() alone does not.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _address = self.listener.accept()
                threading.Thread(target=self.relay, args=[client], daemon=True).start()

    def relay(self, client):
        with client, socket.create_connection(("127.0.0.1", self.server)) as server, contextlib.suppress(OSError):
            other, is_losing = {client: server, server: client}, False
            while True:
                for sender in sockets.select([client, server], [], [])[0]:
                    data = sender.recv(65536)
                    if not data or (is_losing and sender is server and self.loss == BREAK):
                        return
                    if sender is client and self.word and self.word in data:
                        self.seen += 1
                        if self.left > 0:
                            is_losing, self.left = True, self.left - 1
                    if not (is_losing and sender is server):
                        other[sender].sendall(data)
