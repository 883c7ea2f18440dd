"""A page of the real application that runs whatever view a test puts there."""

from pyramid.security import NO_PERMISSION_REQUIRED


def includeme(config):
    """Add `/probe`; a test reaches it by the fixture `probe`."""
    config.add_route("probe", "/probe")
    config.add_view(_run, route_name="probe", renderer="string", require_csrf=False, permission=NO_PERMISSION_REQUIRED)


def _run(request):
    return request.registry["probe"](request)
