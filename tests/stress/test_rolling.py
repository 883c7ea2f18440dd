"""A short rolling upgrade behind the documented nginx; `make stress` has twenty restarts."""

import pytest

from tests.nginx import require_nginx

from .rolling import run_rolling


@pytest.mark.usefixtures("nobody")
def test_four_restarts_behind_nginx_fail_no_request(database_url):
    require_nginx()
    outcome = run_rolling(database_url, restarts=4, clients=4)
    assert outcome.violations == []
    assert (outcome.restarts, outcome.cut_off) == (4, 0)
    assert outcome.failures == 0
    assert outcome.counts["acknowledged"] > 20
