"""Slows down who guesses passwords, without locking out whom they guess at.

Who tries an account from an address may fail `TRIES` times a minute; once, when that account has failed
`TRIES_BY_ALL` times within the hour, from wherever. An address may fail `TRIES_ANYWHERE` times a minute, whatever the
accounts. So what others do from elsewhere never makes a person wait for longer than a minute. Tries that have to wait
are not counted.
"""

import datetime
import hmac
import ipaddress
import math

from sqlalchemy import delete, func, select

from ..db import read_rows
from ..db.base import utcnow
from ..web.events import log_event
from .models import FailedSignIn

MINUTE, HOUR = datetime.timedelta(minutes=1), datetime.timedelta(hours=1)
TRIES = 5
TRIES_BY_ALL = 20
TRIES_ANYWHERE = 20


def seconds_to_wait(request, email):
    """Return for how many seconds no password for `email` is looked at from here; 0 where it is."""
    now, failed = utcnow(), FailedSignIn
    account, address = keys(request, email)
    by_all = select(func.count()).where(failed.account == account, failed.failed_at > now - HOUR)
    lately = select(failed.account, failed.failed_at).where(failed.address == address, failed.failed_at > now - MINUTE)
    factory = request.registry["dbsession_factory"]
    [(failures,)] = read_rows(factory, by_all)
    anywhere = read_rows(factory, lately.order_by(failed.failed_at))
    here = [moment for name, moment in anywhere if name == account]
    tries = 1 if failures >= TRIES_BY_ALL else TRIES
    waits = [moment + MINUTE - now for moment in here[-tries:][:1] if len(here) >= tries]
    waits += [moment + MINUTE - now for _, moment in anywhere[-TRIES_ANYWHERE:][:1] if len(anywhere) >= TRIES_ANYWHERE]
    return max((math.ceil(wait.total_seconds()) for wait in waits), default=0)


def count(request, email):
    """Count a wrong password for `email`, whatever becomes of the request, and forget what is older than an hour."""
    account, address = keys(request, email)

    def write(dbsession):
        dbsession.execute(delete(FailedSignIn).where(FailedSignIn.failed_at < utcnow() - HOUR))
        dbsession.add(FailedSignIn(account=account, address=address))

    request.in_own_transaction(write)
    log_event(request, "sign-in failed", account=account[:16])


def keys(request, email):
    """Return what an account and an address are counted by."""
    return account_key(request, email), _key(request, "address", network(request.remote_addr or ""))


def account_key(request, email):
    """Return the keyed digest that stands for `email`, of which people also type passwords into the field."""
    return _key(request, "account", email.strip().lower())


def _key(request, kind, text):
    secret = request.registry.settings["myproject.secret"].encode()
    return hmac.digest(secret, f"{kind}:{text}".encode("utf-8", "surrogatepass"), "sha256").hex()


def network(address):
    """Return what one connection may choose from: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    # How a server that listens to both writes an IPv4 address.
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else str(parsed)
