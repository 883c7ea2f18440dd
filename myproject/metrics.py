"""`/metrics`: what this process has done since it started, and what it is doing, as Prometheus reads it.

Each process counts for itself, and each application in it: nothing is shared, written or lost with a file. Nobody calls
this module. It hears of finished requests, security events and imports by Pyramid's events; what can be read at any
time, such as the pool, is read when somebody asks.
"""

from collections.abc import Iterator, Mapping
from http import HTTPMethod
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    Metric,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from pyramid.config import Configurator
from pyramid.registry import Registry
from pyramid.response import Response
from sqlalchemy.pool import Pool, QueuePool

from .history.events.kinds import KINDS
from .probes import SERVER_KEY, ServerState
from .readiness import WRONG, Report, most_connections
from .users.imports.jobs import Jobs, WorkEnded
from .users.imports.spool import SAVED
from .web.access import RequestFinished, name_route
from .web.events import ActReported, LateActReported, RefusalReported, ThreadActReported
from .web.request import Request

# Seconds. The list takes about 10 ms; a page gives up reading after 5, a form its attempts after 10, by default.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
# What `/readyz` may know of the database, and the metrics that say it.
OF_DATABASE = {
    "synchronous_standbys": ("synchronous_standbys", "Standbys for one of which each COMMIT waits."),
    "reading_standby_lag_seconds": ("standby_lag_seconds", "Seconds that the standby for reading is behind at most."),
}
COUNTED_KEY = "myproject.counted_refusals"


def includeme(config: Configurator) -> None:
    """Count what the application publishes, and add `/metrics`."""
    metrics = config.registry["metrics"] = Metrics()
    config.add_subscriber(metrics.count_request, RequestFinished)
    config.add_subscriber(metrics.count_act, ActReported)
    config.add_subscriber(metrics.count_late_act, LateActReported)
    config.add_subscriber(metrics.count_act_of_thread, ThreadActReported)
    config.add_subscriber(metrics.count_refusal, RefusalReported)
    config.add_subscriber(metrics.count_import, WorkEnded)
    config.add_probe("metrics", show_metrics)


def show_metrics(request: Request) -> Response:
    """Answer with all metrics, in the text format of Prometheus."""
    response = Response(generate_latest(Scrape(request)), cache_control="no-store")
    response.headers["Content-Type"] = CONTENT_TYPE_PLAIN_0_0_4
    return response


class Metrics:
    """The counters of one application."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        self.requests = Counter(
            "myproject_requests", "Requests, by their last answer.", ["route", "method", "status"], registry=registry
        )
        self.seconds = Histogram(
            "myproject_request_seconds",
            "Seconds until a request was answered, over all its attempts; a body that is streamed comes after.",
            ["route", "method"],
            buckets=BUCKETS,
            registry=registry,
        )
        self.transactions = Counter(
            "myproject_transactions", "What became of the transactions of requests.", ["outcome", "reason"],
            registry=registry,
        )  # fmt: skip
        self.retries = Counter(
            "myproject_retries", "Attempts of requests that were tried again.", ["reason"], registry=registry
        )
        self.conflicts = Counter(
            "myproject_conflicts", "Forms that met a change of somebody else, or were used before.", ["route"],
            registry=registry,
        )  # fmt: skip
        self.events = Counter("myproject_security_events", "Security events.", ["kind"], registry=registry)
        self.exported = Counter("myproject_exported_rows", "Rows of exports.", ["what"], registry=registry)
        self.imports = Counter(
            "myproject_imports", "Work on imports that has ended, by the state of the import.", ["state"],
            registry=registry,
        )  # fmt: skip
        self.imported = Counter("myproject_imported_rows", "Users that imports saved.", ["change"], registry=registry)
        # With 0 from the start: Prometheus cannot see the first increase of what was not there before.
        for kind in KINDS:
            self.events.labels(kind)

    def count_request(self, finished: RequestFinished) -> None:
        """Count a request that has its answer, and what became of its transaction."""
        request, outcome = finished.request, finished.request.outcome
        route = name_route(request)
        method = request.method if request.method in HTTPMethod.__members__ else "other"
        self.requests.labels(route, method, finished.status).inc()
        self.seconds.labels(route, method).observe(finished.seconds)
        self.transactions.labels(outcome.kind, outcome.reason).inc()
        for reason in outcome.lost_races:
            self.retries.labels(reason).inc()
        if finished.status == 409:
            self.conflicts.labels(route).inc()

    def count_act(self, act: ActReported) -> None:
        """Count an act, such as a sign-in, if its transaction commits."""
        act.request.after_commit(self.events.labels(act.kind).inc)

    def count_act_of_thread(self, act: ThreadActReported) -> None:
        """Count an act of a thread, if its transaction commits."""
        count = self.events.labels(act.kind).inc
        act.dbsession.info["transaction"].addAfterCommitHook(lambda committed: count() if committed else None)

    def count_late_act(self, act: LateActReported) -> None:
        """Count an act, such as an export, when it has ended."""

        def count(facts: Mapping[str, Any]) -> None:
            self.events.labels(act.kind).inc()
            self.exported.labels(facts["what"]).inc(facts["rows"])

        act.at_end.append(count)

    def count_refusal(self, refusal: RefusalReported) -> None:
        """Count a refusal once for each request, however often that is tried."""
        counted = refusal.request.environ.setdefault(COUNTED_KEY, set())
        if refusal.kind not in counted:
            counted.add(refusal.kind)
            self.events.labels(refusal.kind).inc()

    def count_import(self, ended: WorkEnded) -> None:
        """Count an import that was checked, saved, or whatever it has come to."""
        self.imports.labels(ended.job.state).inc()
        if ended.job.state == SAVED:
            for change in ("new", "changed"):
                self.imported.labels(change).inc(ended.job.numbers[change])


class Scrape:
    """All metrics at this moment: the counters, and what is read now."""

    def __init__(self, request: Request) -> None:
        self.registry: Registry = request.registry
        self.server: ServerState | None = request.environ.get(SERVER_KEY)

    def collect(self) -> Iterator[Metric]:
        """Yield each metric, as collectors of prometheus_client do."""
        registry = self.registry
        for metric in registry["metrics"].registry.collect():
            # When each counter was made, which nobody needs: the process has its start.
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric
        yield from collect_pool(registry["dbsession_factory"].kw["bind"].pool, most_connections(registry.settings))
        yield from collect_imports(registry["imports"])
        yield from collect_readiness(registry["readiness"].report())
        if self.server is not None:
            yield gauge("server_threads", "Threads that answer pages.", self.server.threads)
            waiting = self.server.waiting_requests
            yield gauge("server_waiting_requests", "Requests that wait for one of these threads.", waiting)


def collect_pool(pool: Pool, most: int | None) -> Iterator[Metric]:
    """Yield how many connections the pool has. Whether requests wait for one, SQLAlchemy does not tell."""
    if isinstance(pool, QueuePool):
        numbers = {"in use": pool.checkedout(), "idle": pool.checkedin()}
        yield gauges("pool_connections", "Connections to the database.", "state", numbers)
        if most is not None:
            yield gauge("pool_connections_limit", "How many of them may be in use.", most)


def collect_imports(jobs: Jobs) -> Iterator[Metric]:
    """Yield what this process works on, and what the spool has, which all processes share."""
    running = sum(thread.is_alive() for thread in list(jobs.threads))
    yield gauge("imports_running", "Imports that this process checks or saves now.", running)
    states: dict[str, float] = {}
    for job in jobs.spool.jobs():
        states[job.state] = states.get(job.state, 0) + 1
    yield gauges("spool_imports", "Uploads in spool.folder, of all processes.", "state", states)
    yield gauge("spool_bytes", "Bytes in spool.folder, of all processes.", jobs.spool.size())


def collect_readiness(report: Report) -> Iterator[Metric]:
    """Yield what `/readyz` answers."""
    yield gauge("ready", "1 if /readyz answers 200.", report.is_ready)
    checks = {finding.about: finding.level != WRONG for finding in report.findings}
    yield gauges("check", "1 unless /readyz finds that this is wrong.", "about", checks)
    database = report.database
    if "server" in database:
        server = GaugeMetricFamily("myproject_database_info", "The server of PostgreSQL.", labels=["server", "role"])
        server.add_metric([database["server"], database["role"]], 1)
        yield server
    for key, (name, help_text) in OF_DATABASE.items():
        if database.get(key) is not None:
            yield gauge(name, help_text, database[key])


def gauge(name: str, help_text: str, value: float) -> Metric:
    """Return a metric without labels."""
    return GaugeMetricFamily(f"myproject_{name}", help_text, value=value)


def gauges(name: str, help_text: str, label: str, values: Mapping[str, float]) -> Metric:
    """Return a metric with a value for each value of one label."""
    family = GaugeMetricFamily(f"myproject_{name}", help_text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
