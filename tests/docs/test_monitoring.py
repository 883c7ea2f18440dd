"""docs/monitoring.md names the metrics and labels that `/metrics` has, and no others."""

import re

from prometheus_client.parser import text_string_to_metric_families

from myproject.db import outcome
from myproject.history.events.kinds import KINDS
from tests.monitoring import probe_of

from . import DOCS

TEXT = (DOCS / "monitoring.md").read_text(encoding="utf-8")
SUFFIXES = "_(total|bucket|count|sum)$"


def families_of(wsgi):
    """Return the metrics of the application by name, as Prometheus reads them."""
    text = probe_of(wsgi).get("/metrics").text
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_every_metric_is_documented_and_every_documented_metric_exists(wsgi):
    # The server and PostgreSQL add these: tests/test_probes.py, tests/db/test_standby.py.
    served = {"myproject_server_threads", "myproject_server_waiting_requests", "myproject_database_info"}
    served |= {"myproject_synchronous_standbys", "myproject_standby_lag_seconds"}
    documented = {re.sub(SUFFIXES, "", name) for name in re.findall(r"myproject_\w+", TEXT)}
    assert documented == {name for name in families_of(wsgi) if name.startswith("myproject_")} | served


def test_alerts_compare_labels_with_values_that_exist():
    words = {value for name, value in vars(outcome).items() if name.isupper() and isinstance(value, str)}
    known = words | KINDS.keys() | {"in use", "500", "failed", "POST", "myproject", "standby"}
    compared = re.findall(r'\w+=~?"([^"]+)"', TEXT)
    assert compared
    assert {value for text in compared for value in text.split("|")} - known == set()


def test_the_checks_of_readyz_are_documented(wsgi):
    checks = {check["about"] for check in probe_of(wsgi).get("/readyz").json["checks"]} | {"server", "standby"}
    assert set(re.findall(r"^\| `(\w+)` \|", TEXT.partition("wrong (503)")[2].partition("## ")[0], re.M)) == checks
