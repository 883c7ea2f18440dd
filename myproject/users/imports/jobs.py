"""The work on imports, in threads of their own: checking the lines, and saving the plan in one transaction.

A thread has its own Session, and keeps its import locked while it works (spool.py). When the server stops, it cancels;
what a killed server has left is settled by the next process that shows the import.
"""

import atexit
import contextlib
import errno
import logging
import secrets
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass

from pyramid.i18n import TranslationString
from pyramid.registry import Registry
from pyramid_retry import IRetryableError
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session, sessionmaker
from transaction import TransactionManager

from ...db import IDatabaseUnavailable, IOutcomeUnknown, get_tm_session, read_rows
from ...db.retry import try_again
from ...logs import current_request
from ...web.busy import IMPORT, Announcement, announced
from ...web.events import MOST_REPORTED, ThreadActReported, report_act_of_thread
from ...web.i18n import _, message_to_json
from ..models import User
from ..sets import lock_users
from .applying import Outdated, apply
from .columns import Unreadable
from .models import AppliedImport
from .planning import Importer, Plan, make_plan
from .spool import (
    CANCEL,
    CANCELLED,
    CHECKED,
    CHECKING,
    FAILED,
    OUTDATED,
    SAVED,
    SAVING,
    STAGED,
    UPLOAD,
    WORKING,
    Claim,
    Job,
    Progress,
    Spool,
)
from .staging import Cancelled, Options, stage

ROUTE = "users.import.show"
# How many imports a process works on at the same time. It also has pages to answer.
MOST_AT_ONCE = 2
REPORT_SECONDS = 0.25
SIZE_CHECK_SECONDS = 2
STOPPING_SECONDS = 20
FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT)

FULL = _("There is no space left for imports on this server. Nothing was imported. Try again later.")
STOPPED = _("The server was stopped during the import. Nothing was imported. Check the file again.")
UNAVAILABLE = _("The database is not available. Nothing was imported. Check the file again later.")
BROKEN = _(
    "Something went wrong. Nothing was imported. If the problem persists, tell an administrator the number of this"
    " import: ${key}"
)
NOT_PERMITTED = _("Your account has changed since you checked the file. Nothing was imported. Check the file again.")

# Of all applications of this process.
ALL_JOBS: "weakref.WeakSet[Jobs]" = weakref.WeakSet()

log = logging.getLogger(__name__)


@atexit.register
def stop_all() -> None:
    """Cancel all work before the process ends."""
    for jobs in list(ALL_JOBS):
        jobs.stop()


@dataclass(frozen=True)
class WorkEnded:
    """Nobody works on an import any more; `job` has its new state. Published by the thread, or by who settles it."""

    job: Job


class NotPermitted(Exception):
    """The person who has started an import is not signed in any more, or has another role."""


class Jobs:
    """The threads of this process that work on imports."""

    def __init__(self, registry: Registry, spool: Spool) -> None:
        self.registry, self.spool = registry, spool
        self.stopping = threading.Event()
        self.free = threading.BoundedSemaphore(MOST_AT_ONCE)
        self.threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        ALL_JOBS.add(self)

    @property
    def factory(self) -> sessionmaker[Session]:
        """The factory of Sessions."""
        return self.registry["dbsession_factory"]

    def check(self, claim: Claim) -> None:
        """Check a locked import, unless the person has to choose its columns first."""
        if claim.job.state == CHECKING:
            self._start(self._check, claim)
        else:
            claim.release()

    def save(self, key: str, plan: str, sign_in: int) -> None:
        """Save this plan of an import, unless somebody else does: a form that is sent twice starts it once."""
        claim = self.spool.claim(key, CHECKED)
        if claim is None:
            return
        if claim.job.plan == plan:
            claim.change(state=SAVING, sign_in=sign_in)
            self._start(self._save, claim)
        else:
            claim.release()

    def settle(self, job: Job) -> Job:
        """Return `job` as it is now. If it was interrupted, find out what has become of it, and clean up."""
        claim = self.spool.claim(job.key, *WORKING) if job.is_working else None
        if claim is None:
            return self.spool.read(job.key) or job
        try:
            if claim.job.state == SAVING and self._is_saved(job):
                claim.end(SAVED)
            else:
                claim.end(FAILED, failure=message_to_json(STOPPED))
                claim.discard(STAGED)
        except Exception as error:
            if not IRetryableError.providedBy(error):
                raise
            # The server of the database still works for the process that was killed.
        finally:
            self._release(claim)
        return claim.job

    def stop(self) -> None:
        """Cancel all work, and wait until it is cancelled: nothing is left of it. A COMMIT is waited for."""
        self.stopping.set()
        self.wait(STOPPING_SECONDS)

    def wait(self, seconds: float) -> None:
        """Wait until the threads that work now have ended."""
        deadline = time.monotonic() + seconds
        for thread in list(self.threads):
            thread.join(max(0, deadline - time.monotonic()))

    def _start(self, work: Callable[[Claim, "Reporter"], None], claim: Claim) -> None:
        # The mark of somebody who cancelled when the work before had just ended.
        claim.discard(CANCEL)
        # A thread that is no daemon would keep the process from ending before `stop` is called.
        thread = threading.Thread(target=self._run, args=(work, claim), name="import", daemon=True)
        self.threads.add(thread)
        thread.start()

    def _run(self, work: Callable[[Claim, "Reporter"], None], claim: Claim) -> None:
        # The history names the import by its key, too.
        current_request.set(claim.job.key)
        reporter = Reporter(self.spool, claim, self.stopping)
        try:
            reporter.start("waiting", None)
            while not self.free.acquire(timeout=REPORT_SECONDS):
                reporter.advance(0)
            try:
                work(claim, reporter)
            finally:
                self.free.release()
        except Exception as error:
            self._end_after(error, claim)
        finally:
            self._release(claim)

    def _release(self, claim: Claim) -> None:
        claim.release()
        if not claim.job.is_working:
            self.registry.notify(WorkEnded(claim.job))

    def _check(self, claim: Claim, reporter: "Reporter") -> None:
        options = Options.from_json(claim.job.options)
        claim.discard(STAGED)
        stage(claim.upload, claim.staged, options, reporter)
        plan = make_plan(self.factory, claim.staged, options, importer_of(claim.job), reporter)
        claim.end(CHECKED, plan=secrets.token_hex(8), numbers=dict(plan.numbers), failure=None, moved=())

    def _save(self, claim: Claim, reporter: "Reporter") -> None:
        number = claim.job.numbers["new"] + claim.job.numbers["changed"]
        # Others wait for this one, and see how far it is.
        with announced(self.spool.folder, IMPORT, number, wait=lambda: reporter.advance(0)) as announcement:
            reporter.announcement = announcement
            try_again(lambda attempt: self._save_once(claim, reporter, attempt))
        try:
            # Without the upload, nobody can make the file of the refused lines.
            if not claim.job.numbers["refused"]:
                claim.discard(UPLOAD, STAGED)
            claim.end(SAVED)
        except OSError as error:
            # It is saved, whatever the folder says: `settle` finds that out.
            log.error("the state of a saved import cannot be written: %s", error.strerror)

    def _save_once(self, claim: Claim, reporter: "Reporter", attempt: int) -> None:
        job, tm = claim.job, TransactionManager(explicit=True)
        origin = {"actor_id": job.user_id, "route": ROUTE, "request_id": job.key, "attempts": attempt}
        with tm:
            dbsession = get_tm_session(self.factory, tm)
            lock_users(dbsession)
            # Only now: until the lock, somebody may take their role away.
            self._refuse_if_not_permitted(job)
            self.registry["announce"](tm, **origin)
            plan = Plan(claim.staged)
            apply(dbsession, plan, importer_of(job), job.key, reporter)
            self._report_accounts(tm, dbsession, plan, job)
            reporter.start("committing", None)

    def _report_accounts(self, tm: TransactionManager, dbsession: Session, plan: Plan, job: Job) -> None:
        for change in plan.changed_accounts(MOST_REPORTED):
            facts = {"user": change.user_id, **change.facts}
            act = ThreadActReported(dbsession, "account changed", facts, job.user_id, job.key)
            report_act_of_thread(self.registry, tm, act)

    def _refuse_if_not_permitted(self, job: Job) -> None:
        """Raise `NotPermitted` if the person is not signed in any more as who has asked to save the import.

        It is read by a transaction of its own: a sign-in that is read by that of the import, and written while the
        import goes on, could make PostgreSQL refuse the import.
        """
        sign_ins = User.metadata.tables["sign_ins"].c
        signed_in = select(User.role).join(User.metadata.tables["sign_ins"], sign_ins.user_id == User.id)
        now = signed_in.where(User.id == job.user_id, User.active, sign_ins.id == job.sign_in)
        if [role for (role,) in read_rows(self.factory, now)] != [job.role]:
            raise NotPermitted()

    def _end_after(self, error: Exception, claim: Claim) -> None:
        """Say why the work has ended, and remove what nobody needs any more."""
        if IOutcomeUnknown.providedBy(error):
            # `settle` finds out, when the database is back.
            return
        try:
            if isinstance(error, Cancelled) and not self.stopping.is_set():
                claim.end(CANCELLED)
                claim.discard(UPLOAD, STAGED)
            elif isinstance(error, Outdated):
                moved = [
                    {"line": each.line, "name": each.name, "what": each.what, "changes": each.changes}
                    for each in error.moved
                ]
                claim.end(OUTDATED, moved=moved, moved_number=error.number)
            else:
                # First, because the disk may be full.
                claim.discard(STAGED)
                claim.end(FAILED, failure=message_to_json(self._explain(error, claim.job.key)))
        except OSError as failure:
            log.error("the state of an import cannot be written: %s", failure.strerror)
            self.spool.remove(claim)

    def _explain(self, error: Exception, key: str) -> TranslationString:
        if isinstance(error, Unreadable):
            return error.message
        if isinstance(error, Cancelled):
            return STOPPED
        if isinstance(error, NotPermitted):
            return NOT_PERMITTED
        if is_full_disk(error):
            log.error("an import has failed: there is no space left in spool.folder")
            return FULL
        if IDatabaseUnavailable.providedBy(error):
            log.error("an import has failed: the database is unavailable")
            return UNAVAILABLE
        log.error("an import has failed", exc_info=error)
        return _(BROKEN, mapping={"key": key})

    def _is_saved(self, job: Job) -> bool:
        """Return whether the transaction of an interrupted import has committed.

        The server of the database may still be committing for a process that was killed, so this first writes the same
        row, in a transaction that is rolled back. Raises an error that can be retried while somebody holds a lock.
        """
        tm = TransactionManager(explicit=True)
        tm.begin()
        try:
            dbsession = get_tm_session(self.factory, tm, wait_for_locks=False)
            dbsession.add(AppliedImport(id=job.key, user_id=job.user_id, added=0, changed=0))
            # The row may be there already.
            with contextlib.suppress(IntegrityError):
                dbsession.flush()
        finally:
            tm.abort()
        return bool(read_rows(self.factory, select(AppliedImport.id).where(AppliedImport.id == job.key)))


class Reporter:
    """Writes the progress of an import, and stops the work if somebody has cancelled or the spool is full."""

    def __init__(self, spool: Spool, claim: Claim, stopping: threading.Event) -> None:
        self.spool, self.claim, self.stopping = spool, claim, stopping
        self.progress = Progress("waiting", 0, None, 0, 0)
        self.size_checked_at = 0.0
        # While the import is being saved.
        self.announcement: Announcement | None = None

    def start(self, step: str, total: int | None) -> None:
        """Begin a step of `total` rows, if they are known."""
        self._report(Progress.begin(step, total))

    def advance(self, number: int) -> None:
        """Note that `number` more rows are done. Raises `Cancelled` and `SpoolFull`."""
        self.progress = self.progress.advanced(number)
        if self.progress.updated_at - self.reported_at >= REPORT_SECONDS:
            self._report(self.progress)

    def _report(self, progress: Progress) -> None:
        self.progress, self.reported_at = progress, progress.updated_at
        if self.claim.is_cancelled or self.stopping.is_set():
            raise Cancelled()
        if self.reported_at - self.size_checked_at >= SIZE_CHECK_SECONDS:
            self.size_checked_at = self.reported_at
            self.spool.refuse_if_full()
        self.claim.report(progress)
        if self.announcement is not None:
            self.announcement.expect(progress.seconds_left)


def importer_of(job: Job) -> Importer:
    """Return who imports."""
    return Importer(job.user_id, job.role)


def is_full_disk(error: BaseException) -> bool:
    """Return whether an error says that the disk, or the spool, is full."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    return isinstance(cause, OSError) and cause.errno in FULL_ERRORS
