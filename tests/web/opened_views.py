"""Pages that open, by the options of a view, what is closed to all others: each runs the view that a test put there."""

OPENED = {
    "repeated": {"repeated_keys": {"ids"}},
    "fields": {"max_fields": 300},
    "large": {"max_body_bytes": 4 * 2**20},
    "files": {"file_fields": {"upload"}},
    "large-files": {"file_fields": {"upload", "picture"}, "max_body_bytes": 4 * 2**20},
}


def includeme(config):
    """Add `/opened/repeated` and so on, for GET and POST."""
    for name, options in OPENED.items():
        config.add_route(f"opened.{name}", f"/opened/{name}")
        config.add_view(run, route_name=f"opened.{name}", renderer="string", permission="view", **options)


def run(request):
    """Return what the view of the test returns."""
    return request.registry["probe"](request)
