"""`/healthz`: the process is alive. `/readyz`: its pages work, or why they do not, as JSON, with 200 or 503.

Both, and `/metrics`, answer only to the addresses of `monitoring.addresses`, by any `Host`, without a sign-in. For
everybody else there is no such page. They use neither `request.dbsession` nor a connection of the pool.
"""

import dataclasses
import ipaddress
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotFound
from pyramid.registry import Registry
from pyramid.response import Response
from pyramid.security import NO_PERMISSION_REQUIRED
from sqlalchemy.pool import Pool, QueuePool

from .db.standby import Standby
from .probes import SERVER_KEY
from .readiness import OK, WARNING, WRONG, Finding, Report, examine, most_connections, probing_engine
from .web.request import Request

# Of the standby from which pages may be read, which they do not need.
LONGEST_STANDBY_SECONDS = 1
# Probes are impatient: a file system, a name server or a firewall may keep a check for longer.
LONGEST_ANSWER_SECONDS = 3

log = logging.getLogger(__name__)


def includeme(config: Configurator) -> None:
    """Add `/healthz` and `/readyz`, and `add_probe` for the page of others."""
    config.registry["readiness"] = Readiness(config.registry)
    config.add_directive("add_probe", add_probe)
    config.add_probe("healthz", healthz)
    config.add_probe("readyz", readyz)


def add_probe(config: Configurator, name: str, view: Callable[[Request], Response]) -> None:
    """Add a page for monitoring, `/name`."""
    config.add_route(name, f"/{name}", factory=Probe)
    config.add_path_for_any_host(f"/{name}")
    config.add_view(view, route_name=name, request_method="GET", permission=NO_PERMISSION_REQUIRED)


class Probe:
    """The context of the pages for monitoring. Raises `HTTPNotFound` for requests that are not meant to see them."""

    def __init__(self, request: Request) -> None:
        if not may_probe(request):
            raise HTTPNotFound()


def may_probe(request: Request) -> bool:
    """Return whether the request comes from one of `monitoring.addresses`, and not through a proxy without trust."""
    state = request.environ.get(SERVER_KEY)
    if state is not None and state.is_address_of_proxy:
        return False
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        # Of a socket file, at whose other end there is a proxy.
        return False
    # Servers that listen on both protocols write IPv4 addresses in this form.
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in request.registry.settings["monitoring.addresses"])


def healthz(request: Request) -> Response:
    """Say that the process answers, whatever has become of its database."""
    return Response("alive\n", content_type="text/plain", charset="UTF-8", cache_control="no-store")


def readyz(request: Request) -> Response:
    """Answer 200 if the pages of this process work, 503 otherwise, with the results of all checks."""
    report = request.registry["readiness"].report()
    state = request.environ.get(SERVER_KEY)
    if state is not None and state.is_stopping:
        report = Report([*report.findings, Finding("server", WRONG, "it is stopping")], report.database)
    return Response(
        json_body={
            "ready": report.is_ready,
            "checks": [dataclasses.asdict(finding) for finding in report.findings],
            "database": report.database,
        },
        status=200 if report.is_ready else 503,
        cache_control="no-store",
    )


class SharedCheck:
    """Runs a check in a thread, so that nobody waits for one that hangs.

    Requests at the same time share one run. While one hangs, no other is begun.
    """

    def __init__(self, check: Callable[[], Report]) -> None:
        self.check, self.lock = check, threading.Lock()
        self.running: Future[Report] | None = None

    def report(self, seconds: float) -> Report:
        """Return the report of the check. Raises `TimeoutError` if it does not end within `seconds`."""
        with self.lock:
            if self.running is None or self.running.done():
                self.running = Future()
                # A thread that is no daemon would keep the process from ending while its check hangs.
                threading.Thread(target=self._run, args=(self.running,), name="readiness", daemon=True).start()
            running = self.running
        return running.result(seconds)

    def _run(self, running: Future[Report]) -> None:
        report = Report()
        try:
            report = self.check()
        except Exception as error:
            log.error("a check of /readyz has failed", exc_info=error)
            report.add("checks", WRONG, f"a check has failed: {type(error).__qualname__}; see the log")
        finally:
            running.set_result(report)


class Readiness:
    """Finds out whether the pages of an application work."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.pages, self.standby = SharedCheck(self._examine_pages), SharedCheck(self._examine_standby)

    def report(self) -> Report:
        """Return what the checks find out; what does not end in time is a finding, too."""
        try:
            report = self.pages.report(LONGEST_ANSWER_SECONDS)
        except TimeoutError:
            report = Report()
            report.add("database", WRONG, f"a check has not ended within {LONGEST_ANSWER_SECONDS} seconds")
        if "standby" not in self.registry:
            return report
        try:
            standby = self.standby.report(LONGEST_STANDBY_SECONDS)
        except TimeoutError:
            standby = Report()
            standby.add("standby", WARNING, "pages read from the primary: nobody says in time how far the standby is")
        return Report([*report.findings, *standby.findings], {**report.database, **standby.database})

    def _examine_pages(self) -> Report:
        engine = self.registry["dbsession_factory"].kw["bind"]
        report = examine(probing_engine(engine.url), self.registry.settings)
        report.findings.append(examine_pool(engine.pool, most_connections(self.registry.settings)))
        return report

    def _examine_standby(self) -> Report:
        return examine_standby(self.registry["standby"])


def examine_standby(standby: Standby) -> Report:
    """Return how far behind the standby is from which pages are read. Without it, they are read from the primary."""
    report, lag = Report(), standby.measure_lag()
    report.database["reading_standby_lag_seconds"] = lag
    reason = standby.reason or ("it is not known how far the standby is" if lag is None else "")
    if reason:
        report.add("standby", WARNING, f"pages read from the primary: {reason}")
    else:
        report.add("standby", OK, f"pages may read from it; it is {lag:.1f} seconds behind at most")
    return report


def examine_pool(pool: Pool, most: int | None) -> Finding:
    """Return how many connections of the pool are in use. All of them is no reason to send requests elsewhere.

    The other processes would get them, and would be as busy then.
    """
    if not isinstance(pool, QueuePool) or most is None:
        return Finding("pool", OK, "the number of connections is not limited")
    used = pool.checkedout()
    if used < most:
        return Finding("pool", OK, f"connections in use: {used} of {most}")
    return Finding("pool", WARNING, f"all {most} connections are in use, so requests wait for one")
