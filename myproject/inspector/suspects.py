"""Statements that a loop seems to repeat, known as "N+1 queries"."""

from collections.abc import Iterable
from dataclasses import dataclass

from .events import Statement

FEWEST_REPETITIONS = 3
LONGEST_SQL_CHARACTERS = 200


@dataclass
class Suspect:
    """A statement that one line of the application has sent several times, each time with other parameters."""

    count: int
    sql: str
    place: str
    # What reading an attribute has loaded: "User.posts"; otherwise empty.
    lazy_load: str
    is_write: bool

    @property
    def sentence(self) -> str:
        """How often it was sent, and from where: "5 times: SELECT … in users/views.py:42"."""
        sql = " ".join(self.sql.split())
        if len(sql) > LONGEST_SQL_CHARACTERS:
            sql = f"{sql[:LONGEST_SQL_CHARACTERS]}…"
        return f"{self.count} times: {sql}" + (f", in {self.place}" if self.place else "")

    @property
    def advice(self) -> str:
        """What to do about it."""
        if self.lazy_load:
            return (
                f"Load {self.lazy_load} with the query: options(selectinload({self.lazy_load})), or joinedload() if "
                "each row has one of them."
            )
        if self.is_write:
            return "Write all rows with one statement: insert(Model) with a list, or update(Model) and its where()."
        return "Read all rows with one statement: where(Model.id.in_(ids)), or a join."


def find_suspects(statements: Iterable[Statement]) -> list[Suspect]:
    """Return the repeated statements among `statements`, the most frequent first."""
    groups: dict[tuple[int, str, str], list[Statement]] = {}
    for statement in statements:
        groups.setdefault((statement.attempt, statement.text, statement.place), []).append(statement)
    suspects = [
        Suspect(len(group), sql, place, group[0].lazy_load, group[0].is_write)
        for (_attempt, sql, place), group in groups.items()
        # The same parameters again are a missing cache, and no loop over rows.
        if len({statement.parameters for statement in group}) >= FEWEST_REPETITIONS
    ]
    return sorted(suspects, key=lambda suspect: -suspect.count)
