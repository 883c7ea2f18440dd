"""The folder of imports: nobody else can make it, and only imports are removed from it."""

import os
import time
from pathlib import Path

import pytest

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


@pytest.fixture
def victim(tmp_path):
    """A private folder of this user, with an import of yesterday."""
    folder = tmp_path / "private"
    folder.mkdir(0o700)
    return old_folder(folder / ("0f" * 16))


def test_a_link_of_somebody_else_to_a_private_folder_is_refused(tmp_path, victim, monkeypatch):
    link = tmp_path / "spool"
    link.symlink_to(victim.parent)

    def lstat(path):
        # Only root can give a link to somebody else.
        values = [*os.lstat(path)]
        values[4] += path == link
        return os.stat_result(values)

    monkeypatch.setattr(Path, "lstat", lstat)
    with pytest.raises(PermissionError, match="has to belong to this user alone"):
        Spool(link, 1000).clean()
    assert victim.exists()


def test_a_link_of_this_user_is_followed(tmp_path, victim):
    link = tmp_path / "spool"
    link.symlink_to(victim.parent)
    Spool(link, 1000).clean()
    assert not victim.exists()
