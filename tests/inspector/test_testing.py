"""The fixture `recorded`, in the tests of this and of any other application."""

import inspect
import os
import re
import subprocess
import sys
import urllib.request

import pytest
from sqlalchemy import insert, select

from myproject.inspector import stock
from myproject.models import User
from tests.browser import ROOT

JANE = insert(User.__table__).values(name="Jane Doe")

OTHER_TESTS = """
import pytest
from sqlalchemy import create_engine, text

@pytest.fixture
def engine(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/test.sqlite")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE notes (text TEXT)"))
    yield engine
    engine.dispose()

def save(engine):
    with engine.begin() as connection:
        connection.execute(text("SELECT count(*) FROM notes"))
        connection.execute(text("INSERT INTO notes VALUES ('one')"))
        connection.execute(text("INSERT INTO notes VALUES ('two')"))

def test_right(engine, recorded):
    with recorded() as record:
        save(engine)
    assert record.summary == "3 statements, committed"

def test_wrong(engine, recorded):
    with recorded() as record:
        save(engine)
    assert record.statement_count == 1
"""


def test_another_application_s_tests_show_the_time_line_of_a_failed_test(tmp_path):
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["myproject.inspector.testing"]')
    (tmp_path / "test_other.py").write_text(OTHER_TESTS)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "ignore", tmp_path],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
    )
    assert "1 failed, 1 passed" in run.stdout
    _, _, report = run.stdout.partition("Captured database call")
    sent = re.findall(r" ms  (\S.*?) \[", report)
    assert sent == [
        "SELECT count(*) FROM notes",
        "INSERT INTO notes VALUES ('one')",
        "INSERT INTO notes VALUES ('two')",
    ]
    assert "3 statements, committed" in report
    assert f"in {tmp_path.name}/test_other.py:16" in report


@pytest.mark.parametrize(
    ("work", "summary"),
    [
        (lambda session: None, "no statements"),
        (lambda session: session.execute(select(User)).all(), "1 statement, read-only"),
        (lambda session: (session.execute(JANE), session.rollback()), "1 statement, rolled back"),
        (lambda session: (session.execute(JANE), session.commit()), "1 statement, committed"),
        (
            lambda session: (session.execute(JANE), session.commit(), session.execute(JANE), session.rollback()),
            "2 statements, committed and rolled back",
        ),
    ],
)
def test_the_summary(work, summary, outside, recorded):
    with recorded() as record, outside.connect() as session:
        work(session)
    assert record.summary == summary


def test_a_new_user_costs_few_statements(app, recorded):
    form = app.get("/users/new").forms["record"]
    form["name"] = "Jane Doe"
    with recorded() as record:
        form.submit(status=303)
    assert record.summary.endswith(" statements, committed")
    assert record.statement_count < 10
    assert record.suspects == []


def test_the_documentation_shows_that_test():
    documented = (ROOT / "docs/inspector.md").read_text(encoding="utf-8")
    assert inspect.getsource(test_a_new_user_costs_few_statements) in documented


def test_the_documentation_shows_every_diagnosis():
    source = "".join(
        (ROOT / f"myproject/inspector/{name}.py").read_text(encoding="utf-8") for name in ("stock", "diagnosis")
    )
    documented = (ROOT / "docs/inspector.md").read_text(encoding="utf-8")
    for constant in stock.NEVER_MARKED, stock.NOBODY_COMMITTED, stock.AFTER_AN_ERROR:
        assert f"| rolled back although the view answered 200: {constant} |" in documented
    sentences = re.findall(r'Diagnosis\(\s*f?"([\w ,]{15,})', source)
    assert len(sentences) >= 6
    for sentence in sentences:
        assert f"| {sentence.strip()}" in documented


def test_a_server_in_another_thread_is_recorded(port, recorded):
    with recorded() as record:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/signin").close()
    assert record.connections
