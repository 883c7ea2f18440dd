from pyramid.view import exception_view_config

from myproject.db import IDatabaseUnavailable, IReadingTookTooLong


@exception_view_config(IDatabaseUnavailable, retryable_error=False, renderer="string")
@exception_view_config(IReadingTookTooLong, renderer="string")
def database_unavailable(error, request):
    request.response.status_int = 503
    return "Try again in a moment."
