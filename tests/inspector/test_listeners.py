"""The listeners are registered only where the inspector is used, and nobody imports it."""

import ast
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import myproject
from myproject.inspector import listeners
from myproject.inspector.testing import recording

PACKAGE = Path(myproject.__file__).parent
FRESH = """
from sqlalchemy import create_engine, event
from myproject import main
application = main({}, **{"sqlalchemy.url": "sqlite://", "myproject.secret": "0123456789abcdef" * 2})
import sys
assert not [name for name in sys.modules if name.startswith("myproject.inspector")]
from myproject.inspector.listeners import LISTENERS
assert not [name for target, name, function in LISTENERS if event.contains(target, name, function)]
"""


def test_without_the_inspector_nothing_of_it_is_loaded_or_registered():
    subprocess.run([sys.executable, "-c", FRESH], check=True)


def test_a_listener_that_is_registered_again_is_called_once(outside):
    listeners.listen()
    with recording() as record:
        outside.connect().close()
    assert len(record.connections) == 1


def test_each_record_is_told_once(outside):
    with recording() as first, recording() as second:
        outside.connect().close()
    assert (len(first.connections), len(second.connections)) == (1, 1)


def test_nothing_is_recorded_after_the_block(outside):
    with recording() as record:
        pass
    outside.connect().close()
    assert record.events == []


def test_records_come_and_go_while_others_work(outside):
    """Another thread may be in the middle of a statement."""
    has_ended, errors = threading.Event(), []

    def work():
        try:
            while not has_ended.is_set():
                with outside.connect() as connection:
                    connection.exec_driver_sql("SELECT 1")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        with recording():
            pass
    has_ended.set()
    for thread in threads:
        thread.join()
    assert errors == []


def test_nobody_imports_the_inspector():
    importing = []
    for path in PACKAGE.rglob("*.py"):
        if path.is_relative_to(PACKAGE / "inspector"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            module = (getattr(node, "module", None) or "") if names else ""
            if any("inspector" in name.split(".") for name in [module, *names]):
                importing.append(path)
    assert importing == []


def test_the_inspector_imports_nothing_of_the_application_but_its_transaction():
    """By a relative import: other applications may copy both folders under another name."""
    imported = set()
    for path in (PACKAGE / "inspector").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not (node.level == 0 and node.module.startswith("myproject"))
                if node.level == 2:
                    imported.add((node.module or "").partition(".")[0])
    assert imported == {"db"}


COPIED = """
import sys
from pyramid.config import Configurator
from sqlalchemy import text
from webtest import TestApp

with Configurator(settings={"sqlalchemy.url": "sqlite://"}) as config:
    config.include("copied.db")
    config.include("copied.inspector")
    config.add_route("page", "/")
    config.add_view(
        lambda request: str(request.dbsession.scalar(text("SELECT 1"))), route_name="page", renderer="string"
    )
page = TestApp(config.make_wsgi_app()).get("/")
print(page.text, sorted({name for name in sys.modules if name.partition(".")[0] == "myproject"}))
"""


def test_both_folders_run_under_another_name(tmp_path):
    for folder in "db", "inspector":
        shutil.copytree(PACKAGE / folder, tmp_path / "copied" / folder)
    done = subprocess.run(
        [sys.executable, "-c", COPIED], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("1 []\n", "")
