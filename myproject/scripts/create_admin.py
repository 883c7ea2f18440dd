"""create_admin INI EMAIL: let an administrator in, the first one or one who has locked themselves out."""

import argparse
import getpass
import sys

import transaction
from pyramid.paster import get_appsettings
from sqlalchemy import inspect

from ..db import get_engine, get_session_factory, get_tm_session
from ..models import SignIn
from ..settings import read_settings
from ..signin.models import let_in
from ..signin.passwords import hasher, refusal
from ..users.fields import is_email
from ..users.models import NAME_LENGTH


def main(argv=None):
    """Give the user with this email a password and make them an active administrator; add them where there is none."""
    parser = argparse.ArgumentParser(prog="create_admin", description=main.__doc__)
    parser.add_argument("ini", help="the ini file, for instance production.ini")
    parser.add_argument("email", help="the address to sign in by")
    parser.add_argument("--name", help="the name of a new user; the address where it is not given")
    parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    given = parser.parse_args(argv)
    settings = read_settings(get_appsettings(given.ini))
    if not is_email(given.email):
        raise SystemExit(f"{given.email!r} is no address like name@example.com.")
    password = sys.stdin.readline().rstrip("\r\n") if given.password_stdin else getpass.getpass("New password: ")
    problem = refusal(password, given.name, given.email)
    if problem:
        raise SystemExit(problem.interpolate())
    engine = get_engine(settings["sqlalchemy.url"])
    try:
        with transaction.manager:
            dbsession = get_tm_session(get_session_factory(engine), transaction.manager)
            if not inspect(dbsession.connection()).has_table(SignIn.__tablename__):
                raise SystemExit(
                    f"The database of {given.ini} is not up to date; run `initialize_db {given.ini}` first."
                )
            name = given.name and given.name[:NAME_LENGTH]
            let_in(dbsession, given.email, name, hasher(settings).hash(password))
    finally:
        engine.dispose()
    print(f"{given.email} can sign in as an administrator.")


if __name__ == "__main__":
    main()
