"""The pages below `/posts`."""

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.view import view_config
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from ..db import to_id
from ..users.models import BY_NAME, User
from ..web.flash import flash
from ..web.i18n import _
from ..web.pagination import page_of
from .forms import PostForm
from .models import Post

# So many names make a list that one can still choose from.
MOST_AUTHORS = 500


@view_config(route_name="posts.list", request_method="GET", renderer="posts/list.jinja2")
def index(request):
    """List the posts, newest first."""
    posts = select(Post).options(joinedload(Post.author))
    return {
        "page": page_of(request.dbsession, posts, [Post.id], request.GET.get("cursor"), descending=True),
        "total": request.dbsession.scalar(select(func.count()).select_from(Post)),
    }


@view_config(route_name="posts.show", request_method="GET", renderer="posts/show.jinja2")
def show(post, request):
    """Show one post."""
    return {"post": post}


@view_config(route_name="posts.new", request_method="GET", renderer="posts/new.jinja2", permission="write")
def new(request):
    """Ask for a new post; `?author_id=7` proposes its author."""
    return {"form": form_for(request)}


@view_config(route_name="posts.new", request_method="POST", renderer="posts/new.jinja2", permission="write")
def create(request):
    """Add a post."""
    form, post = form_for(request), Post(author_id=request.identity.id)
    if not form.validate():
        return form.invalid(request)
    form.populate_obj(post)
    request.dbsession.add(post)
    request.dbsession.flush()
    flash(request, _("“${title}” was added.", mapping={"title": post.title}))
    return HTTPSeeOther(request.route_path("posts.show", id=post.id))


@view_config(route_name="posts.edit", request_method="GET", renderer="posts/edit.jinja2", permission="edit")
def edit(post, request):
    """Show a post to change it."""
    return {"form": form_for(request, post), "post": post}


@view_config(route_name="posts.edit", request_method="POST", renderer="posts/edit.jinja2", permission="edit")
def update(post, request):
    """Change a post."""
    form = form_for(request, post)
    if form.is_outdated(post):
        return form.outdated(request, post, post=post)
    if not form.validate():
        return form.invalid(request, post=post)
    form.populate_obj(post)
    flash(request, _("“${title}” was saved.", mapping={"title": post.title}))
    return HTTPSeeOther(request.route_path("posts.show", id=post.id))


@view_config(route_name="posts.delete", request_method="GET", renderer="posts/delete.jinja2", permission="delete")
def confirm(post, request):
    """Ask before a post is deleted."""
    return {"post": post}


@view_config(route_name="posts.delete", request_method="POST", permission="delete")
def delete(post, request):
    """Delete a post."""
    request.dbsession.delete(post)
    flash(request, _("“${title}” was deleted.", mapping={"title": post.title}))
    return HTTPSeeOther(request.route_path("posts.list"))


def form_for(request, post=None):
    """Return the form of `post`, or of a new one.

    Editors choose its author from the first ones, and the chosen one; members write in their own name.
    """
    if not request.has_permission("add"):
        return PostForm(request, post, authors=None)
    proposed = request.GET.get("author_id", post.author_id if post else request.identity.id)
    chosen = to_id(request.POST.get("author_id", proposed))
    people = select(User.id, User.name)
    first = people.order_by(*BY_NAME).limit(MOST_AUTHORS)
    authors = dict(request.dbsession.execute(first).all())
    further = {chosen, post.author_id if post else None} - authors.keys() - {None}
    if further:
        authors |= dict(request.dbsession.execute(people.where(User.id.in_(further))).all())
    return PostForm(request, post, authors=authors, author_id=chosen if chosen in authors else None)
