"""What has become of a request's transaction: `request.outcome`, with a sentence for logs and for developers."""

from collections.abc import Callable
from dataclasses import dataclass, field

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPException
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response
from pyramid.tweens import EXCVIEW

from .changes import describe_changes
from .failure import CommitRefused, IDatabaseUnavailable, IOutcomeUnknown, IReadingTookTooLong, name_lost_race
from .session import is_reading

OUTCOME_KEY = "myproject.outcome"
ATTEMPT_TWEEN = f"{__package__}.retry.attempt_tween_factory"

# What has become of the transaction. These are also labels of metrics and words of the log.
NOT_BEGUN = "not begun"  # refused before, for instance because of its Host header
UNUSED = "unused"  # there was a transaction, but the request did not use the database
READ_ONLY = "read-only"
COMMITTED = "committed"
ROLLED_BACK = "rolled back"
REFUSED = "refused"  # a COMMIT that would have lost what the view believed to be saved
UNKNOWN = "unknown"  # the connection broke during COMMIT

# Why nothing was committed.
BY_STATUS, BY_HEADER, BY_EXCEPTION, DOOMED = "status", "X-Tm", "exception", "doomed"
LOST_RACE, UNAVAILABLE, TOO_SLOW = "lost race", "unavailable", "too slow"


@dataclass
class Outcome:
    """What has become of a request, over all its attempts; an attempt that is tried again has lost a race."""

    kind: str = NOT_BEGUN
    # Why nothing was committed; one of the words above, or empty.
    reason: str = ""
    # What `reason` does not say, and the log may contain: "the view answered 422", "an exception, KeyError".
    detail: str = ""
    # What the ORM has written, if it was committed: "1 user changed".
    changes: str = ""
    attempt: int = 1
    most_attempts: int = 1
    # Why each attempt before this one was tried again: "serialization failure".
    lost_races: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """The outcome in words, without a full stop, and without any value of the request."""
        if self.kind == NOT_BEGUN:
            return "no transaction: the request was refused before"
        if self.kind == UNUSED:
            return "no transaction: the database was not used" + (f"; {self.detail}" if self.detail else "")
        return ": ".join(filter(None, [f"{self.kind}{self._attempts}", self.changes or self.detail]))

    @property
    def _attempts(self) -> str:
        if not self.lost_races:
            return ""
        return f" on attempt {self.attempt} of {self.most_attempts} after a {self.lost_races[-1]}"


def includeme(config: Configurator) -> None:
    """Add `request.outcome`, which every tween outside the exception views may read after the request."""
    config.add_request_method(outcome, property=True)
    config.add_tween(f"{__name__}.outcome_tween_factory", under=EXCVIEW, over=ATTEMPT_TWEEN)


def outcome(request: Request) -> Outcome:
    """Return the Outcome of the request, the same for all its attempts."""
    return request.environ.setdefault(OUTCOME_KEY, Outcome())


def outcome_tween_factory(handler: Callable[[Request], Response], registry: Registry) -> Callable[[Request], Response]:
    """Note what has become of each attempt: outside the transaction, inside the exception views."""

    def outcome_tween(request: Request) -> Response:
        begin_attempt(request)
        try:
            response = handler(request)
        except BaseException as error:
            end_by_error(request, error)
            raise
        # pyramid_tm shows the error page of a failed COMMIT itself.
        if request.exception is None:
            end_by_answer(request, response)
        else:
            end_by_error(request, request.exception)
        return response

    return outcome_tween


def begin_attempt(request: Request) -> None:
    """Forget how the attempt before has ended, but for the race that it has lost."""
    before = request.outcome
    now = request.environ[OUTCOME_KEY] = Outcome(lost_races=before.lost_races)
    if before.reason:
        now.lost_races.append(before.detail)
    now.attempt = request.environ.get("retry.attempt", 0) + 1
    now.most_attempts = request.environ.get("retry.attempts", 1)


def end_by_answer(request: Request, response: Response) -> None:
    """Note that the view has answered: its transaction has committed or, after an error, aborted."""
    outcome = request.outcome
    # Tests may bring a manager of their own, as those of Pyramid's starter do.
    is_committed = getattr(request.tm, "is_committed", True)
    if not is_committed:
        outcome.reason, outcome.detail = _reason_of_abort(request, response)
    outcome.kind = _kind_of(request, is_committed)
    if outcome.kind == COMMITTED:
        outcome.changes = describe_changes(request.dbsession)


def _reason_of_abort(request: Request, response: Response) -> tuple[str, str]:
    if request.tm.is_doomed:
        return DOOMED, "the transaction was doomed"
    if "X-Tm" in response.headers:
        return BY_HEADER, "the answer has an X-Tm header"
    return BY_STATUS, f"the view answered {response.status_int}"


def end_by_error(request: Request, error: BaseException) -> None:
    """Note that an error has ended the attempt, and aborted its transaction."""
    outcome, lost_race = request.outcome, name_lost_race(error)
    outcome.kind = _kind_of(request, is_committed=False)
    # HTTPNotFound and the like are answers.
    outcome.reason = BY_STATUS if isinstance(error, HTTPException) else BY_EXCEPTION
    outcome.detail = f"an exception, {type(error).__qualname__}"
    if isinstance(error, CommitRefused):
        outcome.kind, outcome.detail = REFUSED, error.what
    elif IOutcomeUnknown.providedBy(error):
        outcome.kind, outcome.reason, outcome.detail = UNKNOWN, UNAVAILABLE, "the connection broke during COMMIT"
    elif lost_race:
        outcome.reason, outcome.detail = LOST_RACE, lost_race
    elif IDatabaseUnavailable.providedBy(error):
        outcome.reason, outcome.detail = UNAVAILABLE, "the database is not available"
    elif IReadingTookTooLong.providedBy(error):
        outcome.reason, outcome.detail = TOO_SLOW, "reading took too long"


def _kind_of(request: Request, is_committed: bool) -> str:
    if "dbsession" not in request.__dict__:
        return UNUSED
    if is_reading(request):
        return READ_ONLY
    return COMMITTED if is_committed else ROLLED_BACK
