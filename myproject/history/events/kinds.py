"""The kinds of security events, and how the page puts them into words."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from ...users.bulk.action import ACTIONS
from ...users.fields import ROLE_NAMES
from ...web.i18n import _, format_number, translate
from ...web.rendering import isolate
from ...web.request import Request
from .models import SecurityEvent


class Kind(NamedTuple):
    """The name of a kind, for the filter; what happened, about a user; and the same if nobody knows about whom."""

    name: str
    sentence: str
    about_nobody: str | None = None


KINDS = {
    "signed in": Kind(_("Sign-in"), _("%(user)s signed in")),
    "signed out": Kind(_("Sign-out"), _("%(user)s signed out")),
    "sign-in failed": Kind(
        _("Failed sign-in"), _("Wrong password for %(user)s"), _("Failed sign-in with an unknown email")
    ),
    "sign-in held up": Kind(
        _("Slowed sign-in"),
        _("Too many attempts to sign in as %(user)s"),
        _("Too many attempts to sign in with an unknown email"),
    ),
    "password confirmed": Kind(_("Password confirmed"), _("%(user)s confirmed their password")),
    "password set": Kind(_("New password"), _("A new password was set for %(user)s")),
    "password link made": Kind(_("Password link created"), _("A password link was created for %(user)s")),
    "password link used": Kind(_("Password link used"), _("The password link for %(user)s was used")),
    "password link ended": Kind(_("Password link ended"), _("The password link for %(user)s was ended")),
    "sign-ins ended": Kind(_("Sessions ended"), _("Sessions of %(user)s were ended")),
    "account changed": Kind(_("Account changed"), _("The account of %(user)s was changed")),
    "administrator made": Kind(_("Administrator set up"), _("%(user)s was set up as an administrator")),
    "user deleted": Kind(_("User deleted"), _("%(user)s was deleted")),
    "many changed": Kind(_("Many users changed"), _("%(user)s changed or deleted many users")),
    "exported": Kind(_("Export"), _("%(user)s exported records"), _("Records were exported")),
    "undone": Kind(_("Undo"), _("%(user)s undid a change")),
    "erased": Kind(_("User erased"), _("%(user)s was erased permanently")),
    "refused": Kind(_("No permission"), _("%(user)s had no permission for a page")),
    "form refused": Kind(
        _("Form refused"), _("A form sent by %(user)s was refused"), _("A stranger's form was refused")
    ),
    "setup refused": Kind(_("Setup refused"), _("The setup form was refused")),
}
OTHERS = _("%(kind)s: at least %(number)s more in this minute")
MANY = _("%(action)s: %(number)s")
UNKNOWN_PERSON = _("Somebody")
DELETED_PERSON = _("User %(id)s")
EXPORTED = {"users": _("Users: %(number)s"), "posts": _("Posts: %(number)s")}
REASONS = {
    "of another site": _("It was sent from another site."),
    "without its token": _("It lacked the token of this browser."),
    "over plain http, where there are no cookies": _("It was sent over plain http."),
}


def describe(request: Request, event: SecurityEvent, names: Mapping[int, str]) -> Markup:
    """Return the event in words, as HTML; `names` are those of the people who still have a record, by id."""
    kind = KINDS.get(event.kind) or _unknown_kind(event.kind)
    if event.number is not None:
        number = format_number(request, event.number)
        return _fill(request, OTHERS, kind=translate(request, kind.name), number=number)
    if event.user_id is None and kind.about_nobody is not None:
        return _fill(request, kind.about_nobody)
    return _fill(request, kind.sentence, user=name_person(request, event.user_id, names))


def name_person(request: Request, user_id: int | None, names: Mapping[int, str]) -> Markup:
    """Return the name of a user as a link to their page, or the number of one without a record, as HTML."""
    if user_id is None:
        return _fill(request, UNKNOWN_PERSON)
    if user_id not in names:
        return _fill(request, DELETED_PERSON, id=user_id)
    path = request.route_path("users.show", id=user_id)
    return Markup('<a href="{}">{}</a>').format(path, isolate(names[user_id]))


def describe_facts(request: Request, event: SecurityEvent) -> list[Markup]:
    """Return what else is known of the event, as HTML: what changed, which page, why."""
    facts, lines = event.load_facts(), []
    if facts.get("role") != facts.get("role_before"):
        lines.append(_change(request, _("Role"), facts, "role", ROLE_NAMES))
    if facts.get("active") != facts.get("active_before"):
        lines.append(_change(request, _("Active"), facts, "active", {True: _("Yes"), False: _("No")}))
    if facts.get("email_changed"):
        lines.append(_fill(request, _("The email was changed.")))
    if facts.get("why") in REASONS:
        lines.append(_fill(request, REASONS[facts["why"]]))
    lines += [*_describe_many(request, **facts), *_describe_export(request, **facts)]
    if "page" in facts:
        lines.append(Markup("<code>{}</code>").format(facts["page"]))
    if "command" in facts:
        lines.append(_fill(request, _("By the command %(command)s"), command=facts["command"]))
    return lines


def _describe_many(request: Request, action: str = "", users: int = 0, **_others: Any) -> list[Markup]:
    if action not in ACTIONS:
        return []
    label = translate(request, ACTIONS[action].label)
    return [_fill(request, MANY, action=label, number=format_number(request, users))]


def _describe_export(
    request: Request, what: str = "", rows: int = 0, complete: bool = True, **_others: Any
) -> list[Markup]:
    if what not in EXPORTED:
        return []
    number = _fill(request, EXPORTED[what], number=format_number(request, rows))
    return [number] if complete else [number, _fill(request, _("It was cancelled or failed before the end."))]


def _unknown_kind(name: str) -> Kind:
    """Return a Kind for one that another version of the application has stored."""
    text = name.replace("%", "%%")
    return Kind(name, f"{text}: %(user)s", text)


def _change(request: Request, label: str, facts: Mapping[str, Any], name: str, texts: Mapping[Any, str]) -> Markup:
    values = [facts[key] for key in (f"{name}_before", name) if facts.get(key) is not None]
    shown = " → ".join(translate(request, texts.get(value, str(value))) for value in values)
    return escape(f"{translate(request, label)}: {shown}")


def _fill(request: Request, text: str, **values: object) -> Markup:
    """Return the translation of `text` as HTML, its `%(name)s` replaced by `values`, which are escaped unless HTML."""
    return escape(translate(request, text)) % values
