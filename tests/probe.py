"""A page of the real application that runs whatever view a test puts there."""


def includeme(config):
    """Add `/probe`; a test reaches it by the fixture `probe`."""
    config.add_route("probe", "/probe")
    config.add_view(_run, route_name="probe", renderer="string", require_csrf=False)


def _run(request):
    return request.registry["probe"](request)
