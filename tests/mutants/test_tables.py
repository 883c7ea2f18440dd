"""The tables of `make mutants` name tests, modules and lines that exist."""

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def table_of_tests():
    """Return the table TESTS of run.py, which cannot be imported here: cosmic-ray has its own environment."""
    tree = ast.parse(Path(__file__).with_name("run.py").read_text(encoding="utf-8"))
    [value] = [node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "TESTS"]
    return ast.literal_eval(value)


def test_every_module_and_every_test_exists():
    table = table_of_tests()
    assert [pattern for pattern in table if not [*ROOT.glob(pattern)]] == []
    assert [path for tests in table.values() for path in tests.split() if not (ROOT / path).exists()] == []


def test_every_named_survivor_is_a_line_of_its_module_with_a_reason():
    named = tomllib.loads(Path(__file__).with_name("survivors.toml").read_text(encoding="utf-8")).get("survivor", [])
    for each in named:
        lines = [line.strip() for line in (ROOT / each["module"]).read_text(encoding="utf-8").splitlines()]
        assert set(each["was"].split("\n")) <= set(lines), each
        assert each["reason"]
