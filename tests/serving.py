"""A WSGI application whose answers take long or are large, for the tests of the server."""

import time

LARGE = b"x" * 4_000_000


def main(global_config, **settings):
    """Return the application: `/0.5` answers after half a second, `/large` with 4 MB, `/` at once."""

    def application(environ, start_response):
        path = environ["PATH_INFO"].strip("/")
        body = LARGE if path == "large" else settings["answer"].encode()
        if path not in ("", "large"):
            time.sleep(float(path))
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    return application
