"""A storm over two PostgreSQL servers: the first one is killed, and its standby takes over, again and again."""

import itertools
import time

from tests.standby import running_pair

from .ledger import ACKNOWLEDGED
from .storm import run

# How long people work without a standby before the killed server is made into one.
SECONDS_ALONE = 1
# After a kill, the time until the next acknowledged form is looked for in this many seconds.
SECONDS_WATCHED = 20


def run_takeovers(takeovers, **options):
    """Return the Outcome of a storm with this many takeovers, and for each of them two times in seconds.

    They are how long it took until the standby took writes, and the longest time without an acknowledged form.
    """
    moments = []
    with running_pair() as pair:

        def take_over():
            killed_at = time.monotonic()
            pair.take_over()
            moments.append((killed_at, time.monotonic()))
            time.sleep(SECONDS_ALONE)
            pair.restore()

        outcome = run(pair.url(), crash=take_over, crashes=takeovers, **options)
    return outcome, [(promoted - killed, longest_gap(killed, outcome.writes)) for killed, promoted in moments]


def longest_gap(killed, writes):
    """Return the longest time between two acknowledged forms after the moment `killed`, in seconds."""
    answers = sorted(write.answered_at for write in writes if write.answer == ACKNOWLEDGED)
    watched = [killed, *(answer for answer in answers if 0 < answer - killed < SECONDS_WATCHED)]
    return max(after - before for before, after in itertools.pairwise(watched))


def report_times(times):
    """Print the times of each takeover."""
    for promoted, gap in times:
        print(
            f"\nThe standby took writes after {promoted:.2f} s; the longest time without a saved form was {gap:.2f} s."
        )
