"""What tests of the pages for monitoring share."""

from prometheus_client.parser import text_string_to_metric_families
from webtest import TestApp

# Of a client on this machine. Requests of the other tests have no address, as if nobody had sent them.
LOOPBACK = "127.0.0.1"


def probe_of(wsgi, address=LOOPBACK, **environ):
    """Return a client at `address` that asks by an address without a known `Host`, as probes do."""
    return TestApp(wsgi, extra_environ={"REMOTE_ADDR": address, "HTTP_HOST": "10.0.0.5:6543", **environ})


def samples_of(text):
    """Return what `/metrics` has answered: `{(name, (label, value), …): value}`."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
