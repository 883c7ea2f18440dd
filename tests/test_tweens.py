"""The order of the tweens: as myproject/tweens.py says it, as Pyramid builds it, and as the documentation shows it."""

import os
import re
import subprocess
import sys

import pytest
from pyramid.interfaces import IViewDerivers

from myproject import main, tweens

from .browser import ROOT, SECRET

TOOLBAR = "pyramid_debugtoolbar.toolbar_tween_factory"


def printed_tweens(ini):
    """Return the names that `ptweens INI` prints, in their order."""
    environ = {**os.environ, "DATABASE_URL": "sqlite://", "MYPROJECT_SECRET": SECRET}
    command = [sys.executable, "-m", "pyramid.scripts.ptweens", ROOT / ini]
    printed = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
    return re.findall(r"^\d+ +(\S+)", printed, re.MULTILINE)


def documented_tweens():
    """Return the names in the table of docs/life-of-a-request.md, in their order."""
    text = (ROOT / "docs/life-of-a-request.md").read_text(encoding="utf-8")
    [table] = re.findall(r"^\| tween \|.*?\n\n", text, re.MULTILINE | re.DOTALL)
    return re.findall(r"^\| `(\S+)` \|", table, re.MULTILINE)


def test_the_documentation_shows_the_order_of_the_tweens():
    assert documented_tweens() == tweens.ORDER


def test_the_documentation_shows_the_order_of_the_view_derivers():
    application = main({}, **{"sqlalchemy.url": "sqlite://", "myproject.secret": SECRET})
    order = [name for name, _ in application.registry.queryUtility(IViewDerivers).sorted()]
    text = (ROOT / "docs/life-of-a-request.md").read_text(encoding="utf-8")
    documented = re.findall(r"`(\w+_view)`", text.partition("derivers, which")[2].partition("## ")[0])
    assert documented == [name for name in order if name in documented]
    assert {"limited_view", "restoring_view", "receipt_view"} <= set(documented)


@pytest.mark.parametrize(("ini", "absent"), [("development.ini", []), ("production.ini", [TOOLBAR])])
def test_pyramid_builds_that_order(ini, absent):
    assert printed_tweens(ini) == [name for name in tweens.ORDER if name not in absent]
