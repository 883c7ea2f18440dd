"""Slows down the guessing of passwords without locking anybody out.

From one network address, `FAILED_ATTEMPTS_PER_MINUTE` may fail at one account; only one, once the account has seen
`ACCOUNT_FAILED_ATTEMPTS_PER_HOUR` from anywhere. `ADDRESS_FAILED_ATTEMPTS_PER_MINUTE` may fail from one address at all
accounts together. So attempts from elsewhere never make a person wait for more than a minute. Attempts that are
refused because of these limits are not counted.
"""

import datetime
import ipaddress
import math

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from ..db import read_rows
from ..db.base import utcnow
from ..web.events import log_event
from ..web.keyed import keyed_digest
from ..web.request import Request
from .models import FailedSignIn

MINUTE, HOUR = datetime.timedelta(minutes=1), datetime.timedelta(hours=1)
FAILED_ATTEMPTS_PER_MINUTE = 5
ACCOUNT_FAILED_ATTEMPTS_PER_HOUR = 20
ADDRESS_FAILED_ATTEMPTS_PER_MINUTE = 20


def seconds_to_wait(request: Request, email: str) -> int:
    """Return in how many seconds this address may try a password for `email` again; 0 if it may now."""
    now, failed = utcnow(), FailedSignIn
    account, address = failure_keys(request, email)
    by_account = select(func.count()).where(failed.account == account, failed.failed_at > now - HOUR)
    by_address = select(failed.account, failed.failed_at).where(
        failed.address == address, failed.failed_at > now - MINUTE
    )
    factory = request.registry["dbsession_factory"]
    [(account_failures,)] = read_rows(factory, by_account)
    address_failures = read_rows(factory, by_address.order_by(failed.failed_at))
    is_under_attack = account_failures >= ACCOUNT_FAILED_ATTEMPTS_PER_HOUR
    return max(
        _seconds_until_free(
            now,
            [failed_at for name, failed_at in address_failures if name == account],
            1 if is_under_attack else FAILED_ATTEMPTS_PER_MINUTE,
        ),
        _seconds_until_free(
            now, [failed_at for _name, failed_at in address_failures], ADDRESS_FAILED_ATTEMPTS_PER_MINUTE
        ),
    )


def count_failed_attempt(request: Request, email: str) -> None:
    """Store a wrong password for `email`, also if the request is aborted; delete those older than an hour."""
    account, address = failure_keys(request, email)

    def write(dbsession: Session) -> None:
        dbsession.execute(delete(FailedSignIn).where(FailedSignIn.failed_at < utcnow() - HOUR))
        dbsession.add(FailedSignIn(account=account, address=address))

    request.in_own_transaction(write)
    log_event(request, "sign-in failed", account=account[:16])


def failure_keys(request: Request, email: str) -> tuple[str, str]:
    """Return the keyed digests of the account and of the request's address, under which failures are stored."""
    return account_key(request, email), keyed_digest(request, "address", network(request.remote_addr or ""))


def account_key(request: Request, email: str) -> str:
    """Return the keyed digest for the account with this email. Keyed, since people also type passwords as emails."""
    return keyed_digest(request, "account", email.strip().lower())


def network(address: str) -> str:
    """Return the network that one connection chooses its address from: the IPv4 address itself, or the IPv6 /64."""
    try:
        parsed: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address)
    except ValueError:
        return address
    # Servers that listen on both protocols write IPv4 addresses in this form.
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else str(parsed)


def _seconds_until_free(now: datetime.datetime, failures: list[datetime.datetime], limit: int) -> int:
    """Return the seconds until fewer than `limit` of the `failures`, oldest first, are within the last minute."""
    if len(failures) < limit:
        return 0
    return math.ceil((failures[-limit] + MINUTE - now).total_seconds())
