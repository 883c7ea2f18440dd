"""The pages below `/posts`."""

from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.view import view_config
from sqlalchemy import func, select
from sqlalchemy.orm import defer, joinedload

from ..db import to_id
from ..users.models import BY_NAME, User
from ..web.flash import flash
from ..web.forms import DeleteForm
from ..web.i18n import _
from ..web.identity import identity_of
from ..web.pagination import page_of
from ..web.receipts import earlier_record
from ..web.request import Request
from .forms import PostForm
from .listing import author_in_query, written_by
from .models import Post

# How many names the list of authors shows: a person can still choose from them.
MOST_AUTHORS_OFFERED = 500


@view_config(route_name="posts.list", request_method="GET", renderer="posts/list.jinja2")
def index(request: Request) -> dict[str, Any]:
    """List the posts, or those of one author, newest first."""
    author = author_in_query(request)
    posts = select(Post).options(joinedload(Post.author), defer(Post.body)).where(*written_by(author))
    return {
        "author": author,
        "query": f"author={author.id}" if author else "",
        "panel": request.GET.get("panel"),
        "page": page_of(request.dbsession, posts, [Post.id], request.GET.get("cursor"), descending=True),
        "total": request.dbsession.scalar(select(func.count(Post.id)).where(*written_by(author))),
    }


@view_config(route_name="posts.show", request_method="GET", renderer="posts/show.jinja2")
def show(post: Post, request: Request) -> dict[str, Any]:
    """Show one post."""
    return {"post": post}


@view_config(route_name="posts.new", request_method="GET", renderer="posts/new.jinja2", permission="write")
def new(request: Request) -> dict[str, Any]:
    """Show an empty form for a new post; `?author_id=7` preselects its author."""
    return {"form": form_for(request)}


@view_config(route_name="posts.new", request_method="POST", renderer="posts/new.jinja2", permission="write")
def create(request: Request) -> Any:
    """Add a post."""
    form, post = form_for(request), Post(author_id=identity_of(request).id)
    if not form.validate():
        return form.invalid(request, earlier=earlier_record(request, Post, "posts.show"))
    form.populate_obj(post)
    request.dbsession.add(post)
    request.dbsession.flush()
    flash(request, _("“${title}” was added.", mapping={"title": post.title}))
    return HTTPSeeOther(request.route_path("posts.show", id=post.id))


@view_config(route_name="posts.edit", request_method="GET", renderer="posts/edit.jinja2", permission="edit")
def edit(post: Post, request: Request) -> dict[str, Any]:
    """Show the form of a post."""
    return {"form": form_for(request, post), "post": post}


@view_config(route_name="posts.edit", request_method="POST", renderer="posts/edit.jinja2", permission="edit")
def update(post: Post, request: Request) -> Any:
    """Change a post."""
    form = form_for(request, post)
    if not form.validate():
        return form.invalid(request, post=post)
    form.populate_obj(post)
    flash(request, _("“${title}” was saved.", mapping={"title": post.title}))
    return HTTPSeeOther(request.route_path("posts.show", id=post.id))


@view_config(route_name="posts.delete", request_method="GET", renderer="posts/delete.jinja2", permission="delete")
def confirm(post: Post, request: Request) -> dict[str, Any]:
    """Ask before a post is deleted."""
    return {"form": DeleteForm(request, post), "post": post}


@view_config(route_name="posts.delete", request_method="POST", renderer="posts/delete.jinja2", permission="delete")
def delete(post: Post, request: Request) -> Any:
    """Delete a post."""
    form = DeleteForm(request, post)
    if not form.validate():
        return form.invalid(request, post=post)
    request.dbsession.delete(post)
    flash(request, _("“${title}” was deleted.", mapping={"title": post.title}))
    return HTTPSeeOther(request.route_path("posts.list"))


def form_for(request: Request, post: Post | None = None) -> PostForm:
    """Return the form of `post`, or of a new one. Members write in their own name, editors choose an author."""
    if not request.has_permission("add"):
        return PostForm(request, post, authors=None)
    preselected = request.GET.get("author_id", post.author_id if post else identity_of(request).id)
    submitted = request.submitted or {}
    chosen, shown = to_id(submitted.get("author_id", preselected)), to_id(submitted.get("shown_author_id"))
    authors = possible_authors(request, chosen, shown, post.author_id if post else None)
    return PostForm(request, post, authors=authors, author_id=chosen if chosen in authors else None)


def possible_authors(request: Request, *others: int | None) -> dict[int, str]:
    """Return the names by id of the first MOST_AUTHORS_OFFERED users by name, and of those with the ids `others`."""
    users = select(User.id, User.name, User.email, User.active)
    first = users.order_by(*BY_NAME).limit(MOST_AUTHORS_OFFERED)
    names = {user.id: request.name_of(user) for user in request.dbsession.execute(first)}
    missing = set(others) - names.keys() - {None}
    if missing:
        others_found = request.dbsession.execute(users.where(User.id.in_(missing)))
        names |= {user.id: request.name_of(user) for user in others_found}
    return names
