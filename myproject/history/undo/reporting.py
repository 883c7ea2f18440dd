"""Reports an undo to the security events: accounts that it deletes, restores or changes, as their pages report it."""

from collections.abc import Sequence

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
            continue
        now, after = preview.before or {}, preview.after or {}
        report_act(
            request,
            "account changed",
            user=user_id,
            role=after.get("role"),
            active=after.get("active"),
            role_before=now.get("role"),
            active_before=now.get("active"),
            email_changed=after.get("email") != now.get("email"),
        )
