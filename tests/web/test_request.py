"""The class `Request` declares what the application adds to a request; `typed_request.py` checks the types."""

from pathlib import Path

from pyramid.interfaces import IRequestExtensions, IRequestFactory

from myproject.web.request import Request


def test_every_attribute_that_is_added_is_declared_and_the_other_way_round(wsgi):
    extensions = wsgi.registry.getUtility(IRequestExtensions)
    added = {*extensions.descriptors, *extensions.methods}
    declared = Request.__annotations__.keys()
    assert sorted(added - declared) == []
    assert sorted(name for name in declared - added if not hasattr(Request, name)) == []


def test_every_request_is_of_this_class(wsgi, probe):
    assert wsgi.registry.getUtility(IRequestFactory) is Request
    assert probe(lambda request: isinstance(request, Request)).text == "True"


def test_typed_request_names_every_attribute():
    source = (Path(__file__).parent / "typed_request.py").read_text(encoding="utf-8")
    assert [name for name in Request.__annotations__ if f"request.{name}" not in source] == []
