"""A page of the real application, `/probe`, whose view each test chooses."""

from pyramid.security import NO_PERMISSION_REQUIRED


def includeme(config):
    """Add `/probe`; tests use it through the fixture `probe`."""
    config.add_route("probe", "/probe")
    config.add_view(_run, route_name="probe", renderer="string", require_csrf=False, permission=NO_PERMISSION_REQUIRED)


def _run(request):
    return request.registry["probe"](request)
