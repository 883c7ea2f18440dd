"""Reports an undo to the security events: accounts that it deletes, restores or changes, as their pages report it."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...users.views import SignInFacts, report_account
from ...web.events import report_act
from ...web.request import Request
from .rules import Action
from .showing import preview_of
from .steps import Step


def report_accounts(request: Request, steps: Sequence[Step]) -> None:
    """Report what becomes of the accounts of `steps`, as `Undo.accounts` has returned them before the undo."""
    for step in steps:
        user_id, preview = step.change.record_id, preview_of(step)
        if step.action == Action.DELETE:
            report_act(request, "user deleted", user=user_id)
        else:
            report_account(request, user_id, recorded_facts(preview.before), recorded_facts(preview.after))


def recorded_facts(values: Mapping[str, Any] | None) -> SignInFacts:
    """Return what `sign_in_facts` would return of a user with these recorded values."""
    found = values or {}
    return found.get("email"), found.get("role"), found.get("active")
