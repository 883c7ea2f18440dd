"""The order of the tweens: as myproject/tweens.py says it, as Pyramid builds it, and as the documentation shows it."""

import os
import re
import subprocess
import sys

import pytest

from myproject import tweens

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


@pytest.mark.parametrize(("ini", "absent"), [("development.ini", []), ("production.ini", [TOOLBAR])])
def test_pyramid_builds_that_order(ini, absent):
    assert printed_tweens(ini) == [name for name in tweens.ORDER if name not in absent]
