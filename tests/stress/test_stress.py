"""A short run of `make stress`, and checks that the ledger notices every kind of contradiction."""

import dataclasses
from types import SimpleNamespace

import pytest

from myproject.users.imports.jobs import ROUTE

from .history import contradicting_history
from .imports import Import, contradicting_imports
from .ledger import ACKNOWLEDGED, ADD, DELETE, EDIT, REFUSED, UNSETTLED, Ledger, done_of, values_of, violations
from .storm import run
from .takeover import longest_gap, run_takeovers

ADDED, EDITED = f"{1:032x}", f"{2:032x}"


@pytest.fixture
def story():
    """The writes, rows and receipts of a user who was added and edited, and of another who was refused."""
    ledger = Ledger()
    for kind, number, answer, version in [
        (ADD, 1, ACKNOWLEDGED, ""),
        (EDIT, 2, ACKNOWLEDGED, 1),
        (ADD, 3, REFUSED, ""),
    ]:
        form = {"form_token": f"receipt {number}", "version": version}
        write = ledger.open(kind, form, values=values_of(f"{number:032x}"), user=7)
        write.answer = answer
    rows = [row(EDITED, version=2)]
    return SimpleNamespace(writes=ledger.writes, rows=rows, receipts={"receipt 1", "receipt 2"})


def row(token, **changes):
    """Return the stored user 7 as written under `token`, with `changes`."""
    values = values_of(token)
    return SimpleNamespace(**{"id": 7, "version": 1, **values, "age": int(values["age"]), **changes})


def found(story):
    return " ".join(violations(**vars(story)))


@pytest.mark.usefixtures("nobody")
def test_five_kills_lose_no_acknowledged_write(database_url):
    outcome = run(database_url, kills=5, seconds=10, clients=4)
    assert outcome.violations == []
    assert outcome.kills == 5
    assert outcome.counts["acknowledged"] > 20
    assert outcome.counts["… of them acknowledged"] > 0


@pytest.mark.usefixtures("nobody")
def test_two_graceful_restarts_cut_off_no_request(database_url):
    outcome = run(database_url, kills=0, restarts=2, seconds=1, clients=4)
    assert outcome.violations == []
    assert (outcome.restarts, outcome.cut_off) == (2, 0)


@pytest.mark.usefixtures("postgresql")
def test_two_takeovers_by_a_standby_lose_no_acknowledged_write():
    outcome, times = run_takeovers(2, kills=0, seconds=10, clients=4)
    assert outcome.violations == []
    assert (outcome.crashes, len(times)) == (2, 2)
    assert outcome.counts["acknowledged"] > 20


def test_the_longest_gap_is_between_two_acknowledged_forms_after_the_kill():
    answers = [(ACKNOWLEDGED, 99.5), (ACKNOWLEDGED, 100.1), (REFUSED, 0), (ACKNOWLEDGED, 102.1), (ACKNOWLEDGED, 103)]
    writes = [SimpleNamespace(answer=answer, answered_at=moment) for answer, moment in answers]
    assert longest_gap(100, writes) == pytest.approx(2)


@pytest.mark.usefixtures("nobody")
def test_a_falsified_ledger_is_noticed(database_url):
    outcome = run(database_url, kills=0, seconds=3, clients=2)
    next(write for write in outcome.writes if write.answer == ACKNOWLEDGED).answer = REFUSED
    assert outcome.violations != []


def test_a_matching_database_has_no_violations(story):
    assert found(story) == ""


def test_an_unanswered_edit_may_be_done_or_not(story):
    story.writes[1].answer = UNSETTLED
    assert found(story) == ""
    story.rows, story.receipts = [row(ADDED)], {"receipt 1"}
    assert found(story) == ""


def test_a_lost_edit_is_noticed(story):
    story.rows = [row(ADDED)]
    assert "acknowledged last, but not there" in found(story)


def test_a_lost_user_is_noticed(story):
    story.rows = []
    assert "acknowledged, but gone" in found(story)


def test_a_lost_receipt_is_noticed(story):
    story.receipts.remove("receipt 2")
    assert "without a receipt" in found(story)


def test_a_lost_delete_is_noticed(story):
    story.writes[2] = dataclasses.replace(story.writes[2], kind=DELETE, answer=ACKNOWLEDGED)
    assert "deleted, but there" in found(story)


def test_an_edit_that_overwrote_another_is_noticed(story):
    again = dataclasses.replace(story.writes[1], receipt="receipt 4", values=values_of(f"{4:032x}"))
    story.writes.append(again)
    story.receipts.add("receipt 4")
    assert "an edit was lost" in found(story)


def test_a_stored_refused_user_is_noticed(story):
    story.rows.append(row(f"{3:032x}", id=8))
    assert "refused, but there" in found(story)


def test_the_receipt_of_a_refused_write_is_noticed(story):
    story.receipts.add("receipt 3")
    assert "a receipt of what nobody did" in found(story)


def test_an_unknown_user_is_noticed(story):
    story.rows.append(row(f"{5:032x}", id=8))
    assert "nobody wrote" in found(story)


def test_a_user_stored_twice_is_noticed(story):
    story.rows.append(row(EDITED, id=8))
    assert "there 2 times" in found(story)


@pytest.mark.parametrize("half", [{"age": 150}, {"email": values_of(ADDED)["email"]}, {"email": None}])
def test_a_partially_written_row_is_noticed(half, story):
    story.rows = [row(EDITED, version=2, **half)]
    assert "half-written" in found(story)


def test_a_version_without_an_edit_is_noticed(story):
    story.rows = [row(EDITED, version=3)]
    assert "has version 3, and 1 edits" in found(story)


@pytest.fixture
def recorded():
    """The changes of the two forms of `story` that were done."""
    before = {"name": values_of(ADDED)["name"]}
    after = {"name": values_of(EDITED)["name"]}
    origin = {"record_id": 7, "actor_id": 0}
    return [
        SimpleNamespace(before=None, after=before, route="users.new", request_id="a", **origin),
        SimpleNamespace(before=before, after=after, route="users.edit", request_id="b", **origin),
    ]


def found_in_history(story, changes):
    return " ".join(contradicting_history(done_of(story.writes, story.receipts), changes))


def test_a_matching_history_has_no_violations(story, recorded):
    assert found_in_history(story, recorded) == ""


def test_a_form_without_an_entry_is_noticed(story, recorded):
    assert "done, but not in the history" in found_in_history(story, recorded[:1])


def test_an_entry_of_a_refused_form_is_noticed(story, recorded):
    refused = {**vars(recorded[0]), "after": {"name": values_of(f"{3:032x}")["name"]}, "request_id": "c"}
    assert "in the history, but not done" in found_in_history(story, [*recorded, SimpleNamespace(**refused)])


def test_a_form_with_two_entries_is_noticed(story, recorded):
    assert "2 times in the history" in found_in_history(story, [*recorded, recorded[0]])


@pytest.mark.parametrize("wrong", [{"actor_id": 1}, {"actor_id": None}, {"route": None}, {"route": "users.new"}])
def test_an_entry_of_another_person_or_page_is_noticed(wrong, story, recorded):
    vars(recorded[1]).update(wrong)
    assert "of another person or page" in found_in_history(story, recorded)


def test_two_forms_in_one_request_are_noticed(story, recorded):
    recorded[1].request_id = "a"
    assert "2 changes of the request a" in found_in_history(story, recorded)


def test_an_import_is_there_as_a_whole_or_not_at_all():
    sent = Import([ADDED, EDITED], ACKNOWLEDGED)
    rows = [row(token) for token in sent.tokens]
    origin = {"before": None, "actor_id": 0, "route": ROUTE, "request_id": "a"}
    changes = [SimpleNamespace(after=line, **origin) for line in sent.lines]

    def found(answer, rows, changes):
        return " ".join(contradicting_imports([dataclasses.replace(sent, answer=answer)], rows, changes))

    assert found(ACKNOWLEDGED, rows, changes) == found(UNSETTLED, rows, changes) == found(REFUSED, [], []) == ""
    assert "imported in part" in found(UNSETTLED, rows[:1], changes[:1])
    assert "imported in part" in found(ACKNOWLEDGED, [*rows, rows[0]], changes)
    assert "acknowledged, but not there" in found(ACKNOWLEDGED, [], [])
    assert "refused, but there" in found(REFUSED, rows, changes)
    assert "not in one entry" in found(ACKNOWLEDGED, rows, changes[:1])
    changes[0].request_id = "b"
    assert "not in one entry" in found(ACKNOWLEDGED, rows, changes)
    rows[0].age = 150
    assert "or changed" in found(ACKNOWLEDGED, rows, changes)
