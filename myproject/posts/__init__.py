"""What people write: list, read, write, edit and delete posts.

The same shape as `users`: a URL with an `id` brings its Post, the views hand what was typed to `PostForm`, and a post
always has an author, a User.
"""

from sqlalchemy.orm import joinedload

from ..security import row_in_url
from .models import Post


def includeme(config):
    """Add the pages below `/posts`."""
    config.add_route("posts.list", "/posts")
    config.add_route("posts.new", "/posts/new")
    config.add_route("posts.show", "/posts/{id}", factory=post_in_url)
    config.add_route("posts.edit", "/posts/{id}/edit", factory=post_in_url)
    config.add_route("posts.delete", "/posts/{id}/delete", factory=post_in_url)
    config.scan(".views")


def post_in_url(request):
    """Return the Post whose `id` the URL names, its author loaded with it, or raise `HTTPNotFound`."""
    return row_in_url(request, Post, options=[joinedload(Post.author)])
