"""Signing in and out, the first administrator, passwords, and the browsers in which people are signed in.

The signed cookie of a browser holds a token; its `SignIn` is the row that can be listed and ended. `policy.py` finds
the person behind the token once for each request, and asks the lists of permissions in `security.py` and in the models
what that person may do. `guessing.py` slows down guessed passwords, `passwords.py` decides which passwords are good
enough, and `hashing.py` keeps Argon2 out of the request's transaction.
"""

from pyramid.config import Configurator

from ..users import user_in_url
from .confirmation import confirm
from .password_links import open_password_link
from .passwords import make_hasher
from .policy import SecurityPolicy


def includeme(config: Configurator) -> None:
    """Add `/signin`, `/signout`, `/setup`, the pages of passwords and sign-ins, and the policy of the whole site."""
    settings = config.get_settings()
    config.registry["hasher"] = make_hasher(settings)
    config.registry["uncommitted_failures"] = {}
    policy = SecurityPolicy()
    config.set_security_policy(policy)
    # pyramid_tm would query the person on every page, for a note on the transaction that nobody reads.
    config.add_settings({"tm.annotate_user": False})
    config.add_request_method(policy.known_identity, "known_identity", property=True)
    config.add_request_method(confirm)
    config.add_request_method(open_password_link)
    config.add_route("signin", "/signin")
    config.add_route("signout", "/signout")
    config.add_route("setup", "/setup", factory=".setup.site_to_set_up")
    config.add_route("set_password", "/set-password/{token}", factory=".password_links.link_in_url")
    # The person who made the link has another browser.
    config.add_fresh_route("set_password")
    config.add_route("users.password", "/users/{id}/password", factory=user_in_url)
    config.add_route("users.password_link", "/users/{id}/password-link", factory=user_in_url)
    config.add_route("users.sign_ins", "/users/{id}/sign-ins", factory=user_in_url)
    for pages in ".views", ".sign_ins", ".own_password", ".password_links", ".setup":
        config.scan(pages)
