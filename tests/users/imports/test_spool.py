"""The folder of imports: only imports are removed from it."""

import os
import time

from myproject.users.imports.spool import LIFETIME_SECONDS, Spool

OLD = time.time() - LIFETIME_SECONDS - 1


def old_folder(path):
    """Make a folder of yesterday with a file in it."""
    path.mkdir()
    (path / "file").touch()
    os.utime(path, (OLD, OLD))
    return path


def test_only_old_imports_are_removed(tmp_path):
    spool = Spool(tmp_path / "spool", 1000)
    spool.clean()
    imports = [old_folder(spool.folder / name) for name in ("0f" * 16, ".new-0f3c")]
    other = old_folder(spool.folder / "backup")
    spool.clean()
    assert [path.exists() for path in (*imports, other)] == [False, False, True]
