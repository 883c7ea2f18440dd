"""Posts, which users write: list, read, write, edit and delete them.

The package has the same shape as `users`: a URL with an `id` loads its Post before the view runs, and the views
validate the submitted values by `PostForm`. Every post has an author, a User.
"""

from pyramid.config import Configurator
from sqlalchemy.orm import joinedload

from ..security import row_in_url
from ..web.request import Request
from .models import Post
from .views import form_for


def includeme(config: Configurator) -> None:
    """Add the pages below `/posts`."""
    config.add_route("posts.list", "/posts")
    config.add_route("posts.new", "/posts/new")
    config.add_route("posts.export", "/posts/export.csv")
    config.add_route("posts.show", "/posts/{id}", factory=post_in_url)
    config.add_route("posts.edit", "/posts/{id}/edit", factory=post_in_url)
    config.add_route("posts.delete", "/posts/{id}/delete", factory=post_in_url)
    config.add_record_form("posts.new", form_for)
    config.add_record_form("posts.edit", form_for)
    config.scan(".views")
    config.scan(".exports")


def post_in_url(request: Request) -> Post:
    """Return the Post with the id in the URL, its author loaded with it, or raise `HTTPNotFound`."""
    return row_in_url(request, Post, options=[joinedload(Post.author)])
