"""The class of the requests: one for the application."""

from pyramid.interfaces import IRequestExtensions, IRequestFactory
from pyramid.request import Request

# After every `add_request_method`, whichever include it stands in.
LAST = 1_000_000


def includeme(config):
    """Give what `add_request_method` adds to the class of the requests.

    Pyramid gives it to each request by a class made for that one alone, which costs a page 100 µs and more: Python
    knows nothing yet about the attributes of a new class. A subrequest has to be of this class too: `type(request)`.
    """
    config.action(None, make_class, args=(config.registry,), order=LAST)


def make_class(registry):
    """Make the class, and leave nothing to add to a request."""
    extensions = registry.getUtility(IRequestExtensions)
    ours = type("Request", (Request,), {**extensions.methods, **extensions.descriptors})
    extensions.methods.clear()
    extensions.descriptors.clear()
    registry.registerUtility(ours, IRequestFactory)
