"""The pages of the wiki: read one, write one."""

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.view import view_config
from sqlalchemy import select

from .models import Page, User


@view_config(route_name="page", request_method="GET", renderer="string")
def show(request):
    """Return the text of a page."""
    page = request.dbsession.scalars(select(Page).filter_by(**request.matchdict)).first()
    if page is None:
        raise HTTPNotFound
    return f"{page.text} ({page.creator.name})"


@view_config(route_name="page", request_method="POST")
def write(request):
    """Add a page, or change its text."""
    page = request.dbsession.scalars(select(Page).filter_by(**request.matchdict)).first()
    if page is None:
        creator = request.dbsession.scalars(select(User).order_by(User.id)).first()
        page = Page(**request.matchdict, creator=creator)
        request.dbsession.add(page)
    page.text = request.POST["text"]
    if request.POST.get("commit"):
        request.tm.commit()
    return HTTPSeeOther(request.route_path("page", **request.matchdict))
