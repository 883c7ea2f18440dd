"""The administrator as whom the tests visit the pages, and the browser in which they are signed in.

The id is 0: no URL leads to it, no row that a test adds gets it, and the fixture `rows` leaves it out.
"""

import contextlib
import datetime

import sqlalchemy
from pyramid.request import Request
from pyramid.response import Response
from pyramid.session import JSONSerializer, SignedCookieSessionFactory
from webtest import TestApp

from myproject.db.base import utcnow
from myproject.models import SignIn, User
from myproject.signin.identity import SESSION_KEY
from myproject.signin.models import digest
from myproject.signin.passwords import Hasher
from myproject.web.cookies import cookie_name

NAME, EMAIL, PASSWORD = "Test Administrator", "administrator@example.com", "correct horse battery staple"
SECRET = "tests-only-tests-only-tests-only-"
TOKEN_IN_COOKIE = "of the tests"
# Of a browser without scripts. With a host, the cookies that WebTest's `set_cookie` sets are replaced by the server's;
# otherwise the browser would have two of one name.
ENVIRON = {"HTTP_ACCEPT_LANGUAGE": "en", "HTTP_HOST": "localhost"}
# The cheapest parameters that Argon2 accepts.
COSTS = {"time_cost": 1, "memory_cost": 128, "parallelism": 1}
HASHER = Hasher(**COSTS)
PASSWORD_HASH = HASHER.hash(PASSWORD)
# Selects PostgreSQL's triggers that keep the last administrator.
CHECKS = "SELECT tgname FROM pg_trigger WHERE tgname LIKE 'users_last_administrator%%'"


def add_administrator(url):
    """Store the administrator and their sign-in, last seen tomorrow, so that it never expires during the tests."""
    engine = sqlalchemy.create_engine(url)
    user = {"id": 0, "name": NAME, "email": EMAIL, "role": "admin", "password_hash": PASSWORD_HASH}
    tomorrow = utcnow() + datetime.timedelta(days=1)
    seen = {"seen_at": tomorrow, "confirmed_at": tomorrow}
    sign_in = {"id": 0, "token": digest(TOKEN_IN_COOKIE), "user_id": 0, "address": "", "browser": "", **seen}
    with engine.begin() as connection:
        connection.execute(sqlalchemy.insert(User).values(user))
        connection.execute(sqlalchemy.insert(SignIn).values(sign_in))
    engine.dispose()


@contextlib.contextmanager
def without_administrator_check(connection):
    """Allow the block to remove the last administrator, in the transaction of `connection`."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("DELETE FROM users_administered")
        yield
    else:
        names = connection.exec_driver_sql(CHECKS).scalars().all()
        for name in names:
            connection.exec_driver_sql(f"ALTER TABLE users DISABLE TRIGGER {name}")
        yield
        for name in names:
            connection.exec_driver_sql(f"ALTER TABLE users ENABLE TRIGGER {name}")


def cookie(secret=SECRET, token=TOKEN_IN_COOKIE):
    """Return the value of the session cookie for the sign-in with this token, signed like the application's."""
    request, response = Request.blank("/"), Response()
    session = SignedCookieSessionFactory(secret, serializer=JSONSerializer(), cookie_name="session")(request)
    session[SESSION_KEY] = token
    session.get_csrf_token()
    request._process_response_callbacks(response)
    return response.headers["Set-Cookie"].partition(";")[0].partition("=")[2]


def browser(wsgi, **environ):
    """Return a browser without scripts in which the administrator is signed in."""
    app = TestApp(wsgi, extra_environ={**ENVIRON, **environ})
    app.set_cookie(cookie_name(wsgi.registry.settings, "session"), cookie())
    return app
