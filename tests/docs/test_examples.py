"""The documentation tells the truth: its examples run, and the files that it names exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIFE_OF_A_REQUEST = ROOT / "docs/life-of-a-request.md"


@pytest.mark.usefixtures("nobody")
def test_the_examples_of_life_of_a_request_run(database_url, rows):
    text = LIFE_OF_A_REQUEST.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 5
    names = {"url": database_url}
    for block in blocks:
        exec(compile(block, "life-of-a-request.md", "exec"), names)
    names["engine"].dispose()


def test_every_file_that_life_of_a_request_names_exists():
    told = re.findall(r"`([\w/]+\.py)`", LIFE_OF_A_REQUEST.read_text(encoding="utf-8"))
    places = [ROOT, ROOT / "myproject", ROOT / "myproject/db"]
    assert [name for name in told if not any((place / name).exists() for place in places)] == []


def test_life_of_a_request_names_every_file_of_db():
    text = LIFE_OF_A_REQUEST.read_text(encoding="utf-8")
    names = [path.name for path in (ROOT / "myproject/db").glob("*.py") if path.name != "__init__.py"]
    assert [name for name in names if f"**`{name}`**" not in text] == []
