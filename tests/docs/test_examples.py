"""The examples of the documentation run as they stand there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.mark.usefixtures("nobody")
def test_the_examples_of_life_of_a_request_run(database_url, rows):
    blocks = re.findall(
        r"^```python\n(.*?)^```$", (DOCS / "life-of-a-request.md").read_text(), re.DOTALL | re.MULTILINE
    )
    assert len(blocks) >= 5
    names = {"url": database_url}
    for block in blocks:
        exec(compile(block, "life-of-a-request.md", "exec"), names)
    names["engine"].dispose()
