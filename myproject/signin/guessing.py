"""Slows down the guessing of passwords without locking anybody out.

From one network address, `FAILED_ATTEMPTS_PER_MINUTE` may fail at one account; only one, once the account has seen
`ACCOUNT_FAILED_ATTEMPTS_PER_HOUR` from anywhere. `ADDRESS_FAILED_ATTEMPTS_PER_MINUTE` may fail from one address at all
accounts together. So attempts from elsewhere never make a person wait for more than a minute. Attempts that are
refused because of these limits are not counted.

An attempt is counted in the memory of the process until its row is committed: nobody is answered later, or may guess
more often, because somebody else holds SQLite's lock.
"""

import dataclasses
import datetime
import ipaddress
import math

from sqlalchemy import delete, event, func, select
from sqlalchemy.orm import Session

from ..db import read_rows
from ..db.base import utcnow
from ..web.events import report_refusal
from ..web.keyed import keyed_digest
from ..web.request import Request
from .models import FailedSignIn

MINUTE, HOUR = datetime.timedelta(minutes=1), datetime.timedelta(hours=1)
FAILED_ATTEMPTS_PER_MINUTE = 5
ACCOUNT_FAILED_ATTEMPTS_PER_HOUR = 20
ADDRESS_FAILED_ATTEMPTS_PER_MINUTE = 20


@dataclasses.dataclass(frozen=True)
class Failure:
    """A wrong password: keyed digests of the account and the address, and when it was entered."""

    account: str
    address: str
    failed_at: datetime.datetime


def seconds_to_wait(request: Request, email: str) -> int:
    """Return in how many seconds this address may try a password for `email` again; 0 if it may now."""
    now = utcnow()
    account, address = failure_keys(request, email)
    account_failures, address_failures = _read_failures(request, account, address, now)
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
    failure = Failure(account, address, utcnow())
    # By the request's id, which all its attempts share: they count once.
    uncommitted = request.registry["uncommitted_failures"]
    uncommitted[request.id] = failure
    for key, old in list(uncommitted.items()):
        if old.failed_at < failure.failed_at - HOUR:
            uncommitted.pop(key, None)

    def write(dbsession: Session) -> None:
        event.listen(dbsession, "after_commit", lambda _: uncommitted.pop(request.id, None), once=True)
        dbsession.execute(delete(FailedSignIn).where(FailedSignIn.failed_at < utcnow() - HOUR))
        dbsession.add(FailedSignIn(**dataclasses.asdict(failure)))

    request.in_own_transaction(write)
    report_refusal(request, "sign-in failed", email=email, account=account[:16])


def _read_failures(
    request: Request, account: str, address: str, now: datetime.datetime
) -> tuple[int, list[tuple[str, datetime.datetime]]]:
    """Return the failures at `account` in the last hour, and (account, time) from `address` in the last minute."""
    # Read before the rows: a failure that is committed meanwhile is counted twice rather than not at all.
    uncommitted = list(request.registry["uncommitted_failures"].values())
    failed, factory = FailedSignIn, request.registry["dbsession_factory"]
    by_account = select(func.count()).where(failed.account == account, failed.failed_at > now - HOUR)
    by_address = select(failed.account, failed.failed_at).where(
        failed.address == address, failed.failed_at > now - MINUTE
    )
    [(number,)] = read_rows(factory, by_account)
    times = [(row.account, row.failed_at) for row in read_rows(factory, by_address)]
    for failure in uncommitted:
        number += failure.account == account and failure.failed_at > now - HOUR
        if failure.address == address and failure.failed_at > now - MINUTE:
            times.append((failure.account, failure.failed_at))
    return number, sorted(times, key=lambda time: time[1])


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
