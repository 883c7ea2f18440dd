"""The message that the next page shows, once and only if the request that left it has committed."""

KEY = "flash"
# It travels in a cookie, of which browsers keep 4 kB, signed and encoded.
LONGEST = 300


def includeme(config):
    """Let the layout take the message by `request.pop_flash()`."""
    config.add_request_method(pop_flash)


def flash(request, message):
    """Show `message`, a translation string, on the next page if this request commits."""
    request.after_commit(_keep, request.session, request.localizer.translate(message))


def pop_flash(request):
    """Return the message left for this page, and forget it, or `None`."""
    return request.session.pop(KEY) if KEY in request.session else None


def _keep(session, text):
    session[KEY] = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
