"""Paging through a ranked search, both ways, shows each person once while others are added and deleted."""

from itertools import count
from unittest.mock import patch

import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session

from myproject.models import User
from myproject.users.listing import rows
from myproject.users.listing.page import read_list
from myproject.users.listing.view import read_view
from myproject.web.pagination import LAST_PAGE
from tests.users.listing.oracle import UTC

VIEW = read_view({"q": "an", "role": "member"})
# One of each part of the list in turn: in the first a word of the name begins so, in the second it only has it.
NAMES = ["Ana", "Joan", "Li Andersen", "Hanna"]


@pytest.mark.parametrize("few_hits", [0, rows.FEW_HITS])
@pytest.mark.parametrize(("cursor", "direction"), [(None, "next"), (LAST_PAGE, "previous")])
def test_each_person_is_shown_once_while_others_come_and_go(outside, cursor, direction, few_hits):
    with Session(outside, expire_on_commit=False) as session, patch.object(rows, "FEW_HITS", few_hits):
        staying, going = add(session, range(24)), add(session, range(24))
        shown = []
        for turn in count():
            page = read_list(session, VIEW, UTC, cursor, size=5)[0]
            session.rollback()
            cursor = getattr(page, direction)
            if cursor is None:
                break
            shown += [row.id for row in page.rows]
            # One at the edge of the page, if it may go, and one of each end; then one more for each part.
            edges = {page.rows[0].id, page.rows[-1].id}
            gone = [*edges.intersection(going), going[0], going[-1]]
            going = [user_id for user_id in going if user_id not in gone]
            session.execute(delete(User).where(User.id.in_(gone)))
            session.commit()
            add(session, [turn, turn + 1])
        assert len(shown) == len(set(shown))
        # On the way back the first page is whole, and so may repeat some of the second.
        last = [row.id for row in page.rows if direction == "next" or row.id not in shown]
        assert not set(last).intersection(shown)
        assert {*staying} <= {*shown, *last}


def add(session, numbers):
    """Commit users named after NAMES in turn; return their ids."""
    users = [User(name=NAMES[number % len(NAMES)]) for number in numbers]
    session.add_all(users)
    session.commit()
    return [user.id for user in users]
