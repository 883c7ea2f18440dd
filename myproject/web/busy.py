"""Long work that keeps others from saving, announced to all processes for the error page of those who wait.

Who does such work, a thread of the site or a command, keeps the file `saving` of `spool.folder` locked, and says in
`saving.json` what it is and when it should end. The lock ends with the process, however that ends. Nothing of this uses
the database, which has refused a lock when the page is made.
"""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pyramid.config import Configurator
from pyramid.i18n import TranslationString
from pyramid.registry import Registry

from ..settings import refuse_open_spool
from .i18n import _
from .request import Request
from .shared_files import is_locked, lock_file, make_private_folder, read_json, write_json

IMPORT, BULK, UNDO = "import", "bulk", "undo"
TEXTS = {
    IMPORT: (
        _("An import is being saved"),
        _("Users are being imported: ${count}. Until that is done, nobody else can save."),
    ),
    BULK: (
        _("Many users are being changed"),
        _("Users are being changed: ${count}. Until that is done, nobody else can save."),
    ),
    UNDO: (
        _("A large change is being undone"),
        _("Records are being put back: ${count}. Until that is done, nobody else can save."),
    ),
}
LOCK, NOTICE = "saving", "saving.json"
POLL_SECONDS = 0.1
# How many records are written in a second, at the least. Fewer are hardly noticed by others.
RECORDS_PER_SECOND = 5000


@dataclass(frozen=True)
class LongWork:
    """What is being done, for a page; `seconds_left` is an estimate, or `None` while there is none."""

    title: TranslationString
    sentence: TranslationString
    seconds_left: float | None


def includeme(config: Configurator) -> None:
    """Let nobody wait in vain for the end of such work (db/retry.py). Raises `SettingsError` for an open folder."""
    registry = config.registry
    refuse_open_spool(registry.settings["spool.folder"])

    def seconds_until_lock() -> float:
        work = find_long_work(registry)
        return (work and work.seconds_left) or 0

    registry["seconds_until_lock"] = seconds_until_lock


class Announcement:
    """Tells others of long work that is done here, until it is closed or the process ends.

    Raises `BlockingIOError` while other work is announced, and `OSError` if the folder cannot be written.
    """

    def __init__(self, folder: Path, kind: str, number: int, seconds: float | None = None) -> None:
        make_private_folder(folder)
        self.path, self.about = folder / NOTICE, {"kind": kind, "number": number}
        self.lock = lock_file(folder / LOCK)
        try:
            self.expect(seconds)
        except OSError:
            self.close()
            raise

    def expect(self, seconds: float | None) -> None:
        """Say for how long the work will still take, or `None` while that cannot be told."""
        write_json(self.path, {**self.about, "ends_at": None if seconds is None else time.time() + seconds})

    def close(self) -> None:
        """Let others announce work."""
        os.close(self.lock)


@contextlib.contextmanager
def announced(folder: Path, kind: str, number: int, wait: Callable[[], object]) -> Iterator[Announcement]:
    """Announce long work during the block; call `wait()` again and again until no other work is announced."""
    while True:
        try:
            announcement = Announcement(folder, kind, number)
            break
        except BlockingIOError:
            wait()
            time.sleep(POLL_SECONDS)
    with contextlib.closing(announcement):
        yield announcement


def announce_writes(request: Request, kind: str, number: int) -> None:
    """Announce that a request writes many records, until its transaction has ended. It goes on if that fails."""
    if number < RECORDS_PER_SECOND:
        return
    with contextlib.suppress(OSError):
        folder, seconds = request.registry.settings["spool.folder"], number / RECORDS_PER_SECOND
        announcement = Announcement(folder, kind, number, seconds)
        request.add_finished_callback(lambda request: announcement.close())


def find_long_work(registry: Registry) -> LongWork | None:
    """Return the long work that is being done now, if any, whichever process does it."""
    folder = registry.settings["spool.folder"]
    notice = read_json(folder / NOTICE) if is_locked(folder / LOCK) else None
    if notice is None:
        return None
    title, sentence = TEXTS[notice["kind"]]
    left = None if notice["ends_at"] is None else notice["ends_at"] - time.time()
    # An estimate that has passed was wrong.
    seconds_left = left if left is not None and left > 0 else None
    return LongWork(title, _(sentence, mapping={"count": f"{notice['number']:,}"}), seconds_left)


def time_left(seconds: float | None) -> TranslationString | None:
    """Return in words how long something still takes."""
    if seconds is None:
        return None
    if seconds <= 1:
        return _("about a second")
    if seconds <= 90:
        rounded = math.ceil(seconds) if seconds < 20 else math.ceil(seconds / 10) * 10
        return _("about ${count} seconds", mapping={"count": rounded})
    return _("about ${count} minutes", mapping={"count": math.ceil(seconds / 60)})
