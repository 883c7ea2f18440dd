"""The documentation is true: what it names exists, what it shows runs, and the guide to a new field works."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *ROOT.glob("assets/*.md")])
