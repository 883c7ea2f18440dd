"""The spool: a private folder for each import, with what was uploaded, what the check found and how far the work is.

    spool.folder/
      saving, saving.json   what is being saved: web/busy.py
      0f3c…/            an import, named by its key
        job.json        whose import it is, and its state
        upload          the file as it was sent
        rows.sqlite     its lines as they were checked
        progress.json   how far the work is
        cancel          exists once the person has cancelled
        working         locked by the thread that works on the import

Every process of the site reads it. A file is written under another name and renamed, so readers get all of it. The lock
of `working` is the heartbeat of the thread: the operating system releases it when the process ends, however it ends. An
import that should be worked on and is not locked was interrupted. Only who has locked an import changes its state.
"""

import contextlib
import datetime
import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from pyramid.i18n import TranslationString

from ...web.i18n import message_from_json
from ...web.shared_files import PRIVATE_MODE, lock_file, make_private_folder, read_json, write_json

LIFETIME_SECONDS = 24 * 60 * 60
# An import whose creation takes longer was interrupted, unless it is locked.
CREATION_SECONDS = 60
COPIED_BYTES = 1024 * 1024
CHECKING, CHECKED, SAVING, SAVED = "checking", "checked", "saving", "saved"
FAILED, OUTDATED, CANCELLED = "failed", "outdated", "cancelled"
WORKING = (CHECKING, SAVING)
UPLOAD, STAGED = "upload", "rows.sqlite"
JOB, PROGRESS, CANCEL, LOCK, NEW = "job.json", "progress.json", "cancel", "working", ".new-"
OWN_FOLDER = re.compile(rf"[0-9a-f]{{32}}|{re.escape(NEW)}[0-9a-f]{{16}}")


class SpoolFull(OSError):
    """The spool has reached its limit. Its error number is that of a full disk, and is treated alike."""

    def __init__(self) -> None:
        super().__init__(errno.ENOSPC, "the spool is full")


@dataclass(frozen=True)
class Job:
    """An import: whose it is, and its state. `message` says why it failed."""

    key: str
    user_id: int
    role: str
    sign_in: int
    filename: str
    state: str
    created_at: float
    # The first two lines of the file.
    header: Sequence[str] = ()
    example: Sequence[str] = ()
    # As `Options` has them (staging.py).
    options: Mapping[str, Any] = field(default_factory=dict)
    # Names the plan that the check has made.
    plan: str = ""
    numbers: Mapping[str, int] = field(default_factory=dict)
    # The first records that have moved since the check, and the number of all: see `Moved` in applying.py.
    moved: Sequence[Mapping[str, Any]] = ()
    moved_number: int = 0
    # A message as JSON.
    failure: Sequence[Any] | None = None

    @property
    def message(self) -> TranslationString | None:
        """Why the import failed, or `None`."""
        return None if self.failure is None else message_from_json(self.failure)

    @property
    def created(self) -> datetime.datetime:
        """When the file was sent."""
        return datetime.datetime.fromtimestamp(self.created_at, datetime.UTC)

    @property
    def is_working(self) -> bool:
        """Whether a thread works on it, unless it was interrupted."""
        return self.state in WORKING


@dataclass(frozen=True)
class Progress:
    """How far the work on an import is: rows of a step, and moments in seconds since 1970."""

    step: str
    done: int
    total: int | None
    started_at: float
    updated_at: float

    @classmethod
    def begin(cls, step: str, total: int | None) -> "Progress":
        """Return the progress of a step that begins now."""
        now = time.time()
        return cls(step, 0, total, now, now)

    def advanced(self, number: int) -> "Progress":
        """Return the progress once `number` more rows are done."""
        return replace(self, done=self.done + number, updated_at=time.time())

    @property
    def rate(self) -> float | None:
        """Rows a second, or `None` while they cannot be told."""
        seconds = self.updated_at - self.started_at
        return self.done / seconds if self.done and seconds > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the step ends, or `None` while they cannot be told."""
        if self.total is None or self.rate is None:
            return None
        return max(0.0, (self.total - self.done) / self.rate - (time.time() - self.updated_at))


class Claim:
    """An import that this thread has locked: it alone may change the state. The lock ends with `release`."""

    def __init__(self, folder: Path, lock: int, job: Job) -> None:
        self.folder, self.lock, self.job = folder, lock, job

    @property
    def upload(self) -> Path:
        """The file as it was sent."""
        return self.folder / UPLOAD

    @property
    def staged(self) -> Path:
        """The lines as they were checked."""
        return self.folder / STAGED

    @property
    def is_cancelled(self) -> bool:
        """Whether the person has cancelled."""
        return (self.folder / CANCEL).exists()

    def change(self, **values: Any) -> None:
        """Change the job, for every process."""
        self.job = replace(self.job, **values)
        write_json(self.folder / JOB, asdict(self.job))

    def report(self, progress: Progress) -> None:
        """Let every process see how far the work is."""
        write_json(self.folder / PROGRESS, asdict(progress))

    def discard(self, *names: str) -> None:
        """Remove files of the import, if they are there; those of SQLite with the files beside them."""
        for name in names:
            for path in self.folder.glob(f"{name}*"):
                path.unlink(missing_ok=True)

    def end(self, state: str, **values: Any) -> None:
        """Enter a state in which nobody works on the import."""
        self.discard(PROGRESS, CANCEL)
        self.change(state=state, **values)

    def release(self) -> None:
        """Let others lock the import."""
        os.close(self.lock)


class Spool:
    """The folder of all imports, of at most `max_bytes` together."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder, self.max_bytes = folder, max_bytes

    def create(self, job: Job, upload: BinaryIO, prepare: Callable[[Claim], Mapping[str, Any]]) -> Claim | None:
        """Store an import with its upload; return it locked, or `None` if it is there already.

        `prepare` reads the upload, and returns what becomes known of the job; if it raises, nothing is left behind.
        Raises `SpoolFull`, and `OSError` if the disk is full.
        """
        self.clean()
        new = self.folder / f"{NEW}{secrets.token_hex(8)}"
        new.mkdir(PRIVATE_MODE)
        claim = Claim(new, lock_file(new / LOCK), job)
        try:
            with open(claim.upload, "xb", buffering=0) as file:
                for chunk in iter(partial(upload.read, COPIED_BYTES), b""):
                    file.write(chunk)
                    self.refuse_if_full()
            claim.change(**prepare(claim))
            os.rename(new, self.folder / job.key)
        except BaseException as error:
            claim.release()
            shutil.rmtree(new, ignore_errors=True)
            if isinstance(error, OSError) and error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return None
            raise
        claim.folder = self.folder / job.key
        return claim

    def read(self, key: str) -> Job | None:
        """Return the import with this key, if there is one."""
        values = read_json(self.folder / key / JOB)
        return None if values is None else Job(**values)

    def progress(self, key: str) -> Progress | None:
        """Return how far the work on an import is, if somebody works on it."""
        values = read_json(self.folder / key / PROGRESS)
        return None if values is None else Progress(**values)

    def staged(self, key: str) -> Path:
        """Return the file with the checked lines of an import."""
        return self.folder / key / STAGED

    def is_being_cancelled(self, key: str) -> bool:
        """Return whether the person has cancelled an import that somebody works on."""
        return (self.folder / key / CANCEL).exists()

    def jobs(self) -> list[Job]:
        """Return all imports, the newest first."""
        keys = [path.name for path in self.folder.glob("[0-9a-f]*")] if self.folder.is_dir() else []
        return sorted(filter(None, map(self.read, keys)), key=lambda job: job.created_at, reverse=True)

    def claim(self, key: str, *states: str) -> Claim | None:
        """Lock an import that is in one of `states`; return `None` if it is not, or if somebody else has locked it."""
        try:
            lock = lock_file(self.folder / key / LOCK, create=False)
        except OSError:
            return None
        # Only now: the state may have changed, or the folder may be gone.
        job = self.read(key)
        if job is None or job.state not in states:
            os.close(lock)
            return None
        return Claim(self.folder / key, lock, job)

    def cancel(self, key: str) -> None:
        """Ask the thread that works on an import to stop."""
        with contextlib.suppress(FileNotFoundError):
            (self.folder / key / CANCEL).touch()

    def remove(self, claim: Claim) -> None:
        """Remove an import, and release it."""
        shutil.rmtree(claim.folder, ignore_errors=True)
        claim.release()

    def clean(self) -> None:
        """Remove what is older than a day and what a killed process has left, and make the folder, if it is missing."""
        make_private_folder(self.folder)
        # Nothing else that somebody keeps in the same folder.
        for path in filter(lambda path: OWN_FOLDER.fullmatch(path.name), self.folder.iterdir()):
            lifetime = CREATION_SECONDS if path.name.startswith(NEW) else LIFETIME_SECONDS
            if path.is_dir() and _changed_at(path) < time.time() - lifetime:
                with contextlib.suppress(OSError):
                    lock = lock_file(path / LOCK)
                    shutil.rmtree(path, ignore_errors=True)
                    os.close(lock)

    def refuse_if_full(self) -> None:
        """Raise `SpoolFull` if all imports together are larger than the limit."""
        if self.size() > self.max_bytes:
            raise SpoolFull()

    def size(self) -> int:
        """Return how many bytes all imports have together."""
        return sum(_size_of(Path(root, name)) for root, _, names in os.walk(self.folder) for name in names)


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _size_of(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0
