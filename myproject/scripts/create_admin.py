"""create_admin INI EMAIL: make the first administrator, or let one who is locked out sign in again."""

import argparse
import getpass
import sys
import warnings
from collections.abc import Sequence

import transaction
from pyramid.paster import setup_logging

# Every model, since those of `users` and `posts` name each other.
from .. import models  # noqa: F401
from ..db import engine_from_config, get_session_factory, get_tm_session
from ..history.context import Origin, announce
from ..history.events.storing import store_act_of_command
from ..settings import read_settings
from ..signin.models import make_administrator
from ..signin.password_rules import find_problem
from ..signin.passwords import make_hasher
from ..users.fields import parse_email
from ..users.models import NAME_LENGTH
from ..web.events import log_act_of_command
from ..web.rules import Invalid, parse_line
from . import explained, read_ini, refuse_older_database

ADMINISTRATOR_MADE = "administrator made"


def main(argv: Sequence[str] | None = None) -> None:
    """Give the user with this email a password and make them an active administrator; add them if there is none."""
    parser = argparse.ArgumentParser(prog="create_admin", description=main.__doc__)
    parser.add_argument("ini", help="the ini file, for instance production.ini")
    parser.add_argument("email", help="the email to sign in with")
    parser.add_argument("--name", help="the name of a new user; the email if none is given")
    parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    arguments = parser.parse_args(argv)
    settings = read_settings(read_ini(arguments.ini))
    email, name = read_email(arguments.email), read_name(arguments.name)
    password = read_password(arguments.password_stdin)
    problem = find_problem(password, name, email)
    if problem:
        raise SystemExit(problem.interpolate())
    password_hash = make_hasher(settings).hash(password)
    engine = engine_from_config(settings)
    try:
        with explained(arguments.ini), transaction.manager:
            dbsession = get_tm_session(get_session_factory(engine), transaction.manager)
            refuse_older_database(dbsession, arguments.ini)
            announce(transaction.manager, Origin(route="create_admin"))
            user = make_administrator(dbsession, email, name, password_hash)
            user_id = user.id
            store_act_of_command(dbsession, "create_admin", ADMINISTRATOR_MADE, user_id=user_id)
    finally:
        engine.dispose()
    setup_logging(arguments.ini)
    log_act_of_command("create_admin", ADMINISTRATOR_MADE, user=user_id)
    print(f"{email} can sign in as an administrator.")


def read_email(text: str) -> str:
    """Return the email that `text` gives by the rules of the page, or exit with a sentence."""
    try:
        email = parse_email(text)
    except Invalid:
        email = None
    if email is None:
        raise SystemExit(f"{text!r} is no address like name@example.com.")
    return email


def read_name(text: str | None) -> str | None:
    """Return the name that `text` gives by the rules of the page, or exit with the message why it is not valid."""
    try:
        return parse_line(text or "", length=NAME_LENGTH)
    except Invalid as error:
        raise SystemExit(error.message.interpolate()) from error


def read_password(from_stdin: bool) -> str:
    """Return the first line of standard input, or else ask for the password without showing it."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass("New password: ")
    except (EOFError, getpass.GetPassWarning):
        sentence = "There is no terminal to ask for the password; pass it to standard input with --password-stdin."
        raise SystemExit(sentence) from None


if __name__ == "__main__":
    main()
