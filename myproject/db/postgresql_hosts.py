"""Several PostgreSQL servers in one URL: the one that a connection was made to last is tried first."""

from typing import Any

import psycopg


class LastHostFirst:
    """Orders the hosts of a URL, so that after a takeover no connection waits for the server that is gone.

    It also keeps a process on the server that took over, if the old one comes back and wrongly takes writes.
    """

    def __init__(self) -> None:
        """Start with the order of the URL."""
        self.host, self.port = "", ""

    def order(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the `arguments` of `psycopg.connect` with the last host, and its port, before the others."""
        hosts, ports = arguments.get("host", "").split(","), str(arguments.get("port", "")).split(",")
        if len(hosts) == 1 or "hostaddr" in arguments:
            return arguments
        if len(ports) == 1:
            # One port is that of all hosts.
            ports *= len(hosts)
        servers = sorted(zip(hosts, ports, strict=True), key=lambda server: not self._is_last(*server))
        return {
            **arguments,
            "host": ",".join(host for host, _ in servers),
            "port": ",".join(port for _, port in servers),
        }

    def remember(self, connection: psycopg.Connection[Any]) -> None:
        """Try the host of `connection` first from now on."""
        self.host, self.port = connection.info.host, str(connection.info.port)

    def _is_last(self, host: str, port: str) -> bool:
        # An empty port is the default one, or that of the environment.
        return host == self.host and port in ("", self.port)
