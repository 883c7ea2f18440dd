"""Files by which the processes of the site, and its commands, tell each other what they do."""

import errno
import fcntl
import json
import os
from pathlib import Path
from typing import Any

from ..settings import is_private_folder

PRIVATE_MODE = 0o700


def make_private_folder(folder: Path) -> None:
    """Make a folder that only this user can read, or raise `PermissionError` if others might have made it."""
    folder.mkdir(PRIVATE_MODE, exist_ok=True)
    if not is_private_folder(folder):
        raise PermissionError(errno.EACCES, "spool.folder has to belong to this user alone (mode 0700)", str(folder))


def lock_file(path: Path, *, create: bool = True) -> int:
    """Return the descriptor of a file, locked until it is closed. Raises `BlockingIOError` if it is locked already."""
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600)
    if not _try_to_lock(file, fcntl.LOCK_EX):
        os.close(file)
        raise BlockingIOError(errno.EWOULDBLOCK, "locked", str(path))
    return file


def is_locked(path: Path) -> bool:
    """Return whether somebody has locked a file that this process may read."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _try_to_lock(file, fcntl.LOCK_SH)
    finally:
        os.close(file)


def write_json(path: Path, values: Any) -> None:
    """Write a file so that others read either the one before or all of the new one."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps(values), encoding="utf-8")
    os.replace(new, path)


def read_json(path: Path) -> Any:
    """Return what `write_json` has written, or `None` if there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _try_to_lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
