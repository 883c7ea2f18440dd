"""The wiki's script: add its first user and page."""

from pyramid.paster import bootstrap

from .models import Page, User


def main(ini):
    """Add the first user and page to the database of the file `ini`."""
    with bootstrap(ini) as env, env["request"].tm:
        editor = User(name="Editor")
        env["request"].dbsession.add_all([editor, Page(name="Home", text="Welcome", creator=editor)])
