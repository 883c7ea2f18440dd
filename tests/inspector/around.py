"""Records each request in `registry["records"]`, in the place of the debug toolbar, which does it by its panel."""

from pyramid.tweens import EXCVIEW

from myproject.inspector import recording

FIRST = ["myproject.web.headers.headers_tween_factory", "pyramid_tm.tm_tween_factory", EXCVIEW]


def includeme(config):
    """Put the tween where the toolbar has its own."""
    config.include(recording)
    config.registry["records"] = []
    config.add_tween(f"{__name__}.tween_factory", over=FIRST)


def tween_factory(handler, registry):
    recorded_handler = recording.record(handler)

    def tween(request):
        if recording.record_of(request) not in registry["records"]:
            registry["records"].append(recording.record_of(request))
        return recorded_handler(request)

    return tween
