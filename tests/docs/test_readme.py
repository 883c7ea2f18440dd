"""The example of README.md runs as it is, in a process that imports nothing else."""

import re
import shutil
import subprocess
import sys

import sqlalchemy

from . import ROOT


def test_the_example_runs_with_the_database_of_make_serve(migrated_sqlite, tmp_path):
    [example] = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    database = shutil.copy(migrated_sqlite, tmp_path / "development.sqlite")
    subprocess.run([sys.executable, "-c", example], cwd=tmp_path, check=True)
    engine = sqlalchemy.create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT age FROM users WHERE name = 'John Doe'").all() == [(30,)]
    engine.dispose()
