"""Who is there: the first administrator, signing in and out, passwords, and the browsers that are signed in.

A browser that is signed in carries a token in its signed cookie; `SignIn` is the row behind it, which can be listed
and ended. `policy.py` turns the one into the other, once a request, and asks the lists in `security.py` and the models
what its person may do. `guessing.py` slows down who guesses passwords, `passwords.py` says which ones are good.
"""

from ..users import user_in_url
from .identity import confirm
from .passwords import hasher
from .policy import SecurityPolicy


def includeme(config):
    """Add `/signin`, `/signout`, `/setup`, the pages of passwords and sign-ins, and the policy of the whole site."""
    settings = config.get_settings()
    config.registry["hasher"] = hasher(settings)
    policy = SecurityPolicy()
    config.set_security_policy(policy)
    # Or pyramid_tm would ask for it on every page, for a note that nobody reads.
    config.add_settings({"tm.annotate_user": False})
    config.add_request_method(policy.known_identity, "known_identity", property=True)
    config.add_request_method(confirm)
    config.add_route("signin", "/signin")
    config.add_route("signout", "/signout")
    config.add_route("setup", "/setup")
    config.add_route("set_password", "/set-password/{token}", factory=".password_links.link_in_url")
    config.add_route("users.password", "/users/{id}/password", factory=user_in_url)
    config.add_route("users.password_link", "/users/{id}/password-link", factory=user_in_url)
    config.add_route("users.sign_ins", "/users/{id}/sign-ins", factory=user_in_url)
    for pages in ".views", ".sign_ins", ".own_password", ".password_links", ".setup":
        config.scan(pages)
