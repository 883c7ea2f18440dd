"""What a route has: its methods, and the page on which its form is."""

from .limits import is_readable_form
from .paths import is_own_path
from .request import Request


def methods_of_route(request: Request) -> set[str]:
    """Return the methods that the route of the request has views for."""
    views = request.registry.introspector.get_category("views")
    views = [entry["introspectable"] for entry in views]
    return {view["request_methods"] for view in views if view["route_name"] == request.matched_route.name}


def path_of_form(request: Request) -> str:
    """Return the path of this page; for a form that is sent to an address without a page, of the one that it is on."""
    if request.method != "POST" or "GET" in methods_of_route(request):
        return request.path_here
    page = request.POST.get("page", "") if is_readable_form(request) else ""
    return page if is_own_path(request, page) else request.route_path("home")
