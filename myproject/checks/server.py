"""Checks of [server:main]: who reaches the port, whether the proxy is trusted, the threads, and how it stops."""

from collections.abc import Iterator, Mapping

from ..readiness import OK, WARNING, WRONG, Finding, most_connections
from ..server import DEFAULT_STOP_SECONDS, STOP_SETTING, find_wrong_server_settings
from ..users.imports.jobs import MOST_AT_ONCE
from .site import Site, is_local

OURS = ("egg:myproject", "egg:myproject#main")
# What waitress takes if the section does not say it.
DEFAULT_HOST, DEFAULT_THREADS = "0.0.0.0", 4  # nosec B104
NEEDED_HEADERS = {"x-forwarded-for", "x-forwarded-proto"}
# Those that imports use in their threads, one for what is written in a transaction of its own, and one for figures that
# are counted in the background: as docs/running.md says.
OTHER_CONNECTIONS = MOST_AT_ONCE + 2
# What systemd waits before it kills a process: TimeoutStopSec.
SYSTEMD_SECONDS = 90


def server(site: Site) -> Iterator[Finding]:
    """Check that the server starts with its settings."""
    if site.server.get("use") in OURS:
        wrong = find_wrong_server_settings({name: text for name, text in site.server.items() if name != "use"})
        if wrong:
            yield Finding("server", WRONG, f"the server does not start: {wrong}")
        else:
            yield Finding("server", OK, "it takes the settings of [server:main]")


def port(site: Site) -> Iterator[Finding]:
    """Check that nobody reaches the port without the proxy, which has the TLS."""
    open_to_others = [host for host in _hosts_of(site.server) if not is_local(host)]
    if not open_to_others:
        yield Finding("port", OK, "only this machine reaches it")
    elif "trusted_proxy" in site.server:
        sentence = (
            f"it listens on {' '.join(open_to_others)}: let a firewall allow the proxy alone, or set host = localhost"
        )
        yield Finding("port", WARNING, sentence)
    else:
        sentence = f"it listens on {' '.join(open_to_others)}, so others reach it without TLS"
        yield Finding("port", WRONG, f"{sentence}; set host = localhost, and put a proxy with TLS in front of it")


def proxy(site: Site) -> Iterator[Finding]:
    """Check that the server learns from the proxy who the client is, and that the client uses TLS."""
    server, headers = site.server, {header.lower() for header in site.server.get("trusted_proxy_headers", "").split()}
    if "trusted_proxy" not in server:
        if site.is_public:
            sentence = "all people seem to have one address, forms fail, and strangers may read /metrics"
            yield Finding(
                "proxy", WRONG, f"trusted_proxy is not set, so behind a proxy {sentence}; see docs/running.md"
            )
        else:
            yield Finding("proxy", OK, "none is trusted, and the site has no name that others can ask for")
    elif server["trusted_proxy"] == "*":
        yield Finding(
            "proxy", WRONG, "trusted_proxy is *, so any client may choose its address; name that of the proxy"
        )
    elif missing := NEEDED_HEADERS - headers - ({*NEEDED_HEADERS} if "forwarded" in headers else set()):
        yield Finding("proxy", WRONG, f"trusted_proxy_headers lacks {' '.join(sorted(missing))}")
    else:
        yield Finding("proxy", OK, f"{server['trusted_proxy']} is trusted; it has to set {' '.join(sorted(headers))}")


def monitoring(site: Site) -> Iterator[Finding]:
    """Check that not everybody may read `/metrics`."""
    networks = site.settings["monitoring.addresses"]
    names = " ".join(str(each).removesuffix("/32").removesuffix("/128") for each in networks) or "nobody"
    if any(network.prefixlen == 0 for network in networks):
        yield Finding("monitoring", WRONG, f"monitoring.addresses is {names}: everybody may read /metrics")
    else:
        yield Finding("monitoring", OK, f"/healthz, /readyz and /metrics answer to {names}")


def threads(site: Site) -> Iterator[Finding]:
    """Check that every thread can have a connection to the database."""
    number, most = int(site.server.get("threads", DEFAULT_THREADS)), most_connections(site.settings)
    needed = number + OTHER_CONNECTIONS
    if most is not None and needed > most:
        sentence = f"{number} threads and imports need {needed} connections, and the pool has {most}"
        yield Finding("threads", WARNING, f"{sentence}; raise sqlalchemy.max_overflow, or lower threads")
    else:
        yield Finding("threads", OK, f"{number} threads, and a pool of {most or 'any number of'} connections")


def stopping(site: Site) -> Iterator[Finding]:
    """Check that the server finishes its requests before it ends, and before it is killed."""
    seconds = int(site.server.get(STOP_SETTING, DEFAULT_STOP_SECONDS))
    if site.server.get("use") not in OURS:
        yield Finding("stopping", WARNING, "the server is not ours, and cuts requests off; set use = egg:myproject")
    elif seconds == 0:
        yield Finding("stopping", WARNING, f"{STOP_SETTING} is 0, so requests are cut off at each restart")
    elif seconds >= SYSTEMD_SECONDS:
        sentence = f"{STOP_SETTING} is {seconds}, and systemd kills a process after {SYSTEMD_SECONDS} seconds"
        yield Finding("stopping", WARNING, f"{sentence}; raise TimeoutStopSec")
    else:
        yield Finding(
            "stopping", OK, f"requests have {seconds} seconds to end; whatever stops the server has to wait longer"
        )


def _hosts_of(server: Mapping[str, str]) -> list[str]:
    """Return the hosts that the server listens on; none for a socket file."""
    if "unix_socket" in server:
        return []
    if "listen" in server:
        return [address.rpartition(":")[0] or DEFAULT_HOST for address in server["listen"].split()]
    return [server.get("host", DEFAULT_HOST)]


CHECKS = (server, port, proxy, monitoring, threads, stopping)
