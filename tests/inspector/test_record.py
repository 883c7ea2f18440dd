"""What a record shows of statements, values, objects and connections."""

import gc
import re
import threading
import weakref

import pytest
from jinja2 import Environment, FileSystemLoader
from sqlalchemy import create_engine, event, insert, select, text
from sqlalchemy.orm import Session, selectinload, undefer
from transaction import TransactionManager

from myproject.inspector import record as record_module
from myproject.inspector.events import COMMIT, FLUSH, TAKEN, Event, Statement
from myproject.inspector.record import Record
from myproject.inspector.testing import recording
from myproject.inspector.transaction_events import Synchronizer
from myproject.models import Post, SignIn, User
from myproject.web.receipts import Receipt
from tests import signed_in

JANE = insert(User.__table__).values(name="Jane Doe")


@pytest.fixture
def plain(outside):
    """A Session of plain SQLAlchemy."""
    with Session(outside) as session:
        yield session


def people(make_user, make_post, count=3):
    for number in range(count):
        make_post(title=f"Post {number}", author=make_user(f"John {number}"))


def test_a_statement_has_its_parameters_rows_and_place(plain, make_user):
    make_user(age=30)
    with recording() as record:
        plain.execute(select(User.name).where(User.age == 30)).all()
    [statement] = record.statements
    assert statement.text.startswith("SELECT users.name")
    assert (statement.parameters, statement.is_write, statement.error) == ("age_1=30", False, "")
    assert statement.rows in (None, 1)  # SQLite's driver does not tell.
    assert statement.took_ms > 0
    assert statement.place.startswith("tests/inspector/test_record.py:")


def test_many_rows_of_parameters_are_counted_and_the_first_is_shown(plain):
    with recording() as record:
        plain.execute(JANE, [{"name": f"John {number}"} for number in range(1000)])
        plain.commit()
    [statement] = record.statements
    assert (statement.parameter_sets, "John 0" in statement.parameters, "John 1" in statement.parameters) == (
        1000,
        True,
        False,
    )
    assert record.summary == "1 statement, committed"


def test_a_failed_statement_tells_its_error(plain):
    with recording() as record, pytest.raises(Exception, match="nothing"):
        plain.execute(text("SELECT nothing"))
    assert "nothing" in record.statements[0].error


def test_a_failed_connection_tells_its_error(tmp_path):
    with recording() as record, pytest.raises(Exception, match="unable to open"):
        create_engine(f"sqlite:///{tmp_path}/missing/file").connect()
    [event] = record.events
    assert (event.kind, event.text) == ("error", "OperationalError: unable to open database file")


@pytest.mark.parametrize("load", ["title", "body"])
def test_a_loop_over_a_lazy_relationship_is_a_suspect(load, plain, make_user, make_post):
    people(make_user, make_post)
    with recording() as record:
        for user in plain.scalars(select(User).where(User.id > 0)):
            _ = [getattr(post, load) for post in user.posts]
    [suspect] = record.suspects
    assert (suspect.count, suspect.lazy_load) == (3, "User.posts")
    assert suspect.sentence.startswith("3 times: SELECT posts.id, ")
    assert ", in tests/inspector/test_record.py:" in suspect.sentence
    assert suspect.advice.startswith("Load User.posts with the query: options(selectinload(User.posts))")


def test_a_loop_over_a_loaded_relationship_is_none(plain, make_user, make_post):
    people(make_user, make_post)
    with recording() as record:
        for user in plain.scalars(select(User).where(User.id > 0).options(selectinload(User.posts))):
            _ = [post.title for post in user.posts]
    assert (record.suspects, record.summary) == ([], "2 statements, read-only")


def test_a_loop_that_reads_rows_one_by_one_is_a_suspect(plain, make_user, make_post):
    people(make_user, make_post)
    with recording() as record:
        for number in range(1, 4):
            plain.get(User, number)
    [suspect] = record.suspects
    assert (suspect.count, suspect.lazy_load) == (3, "")
    assert suspect.advice.startswith("Read all rows with one statement")


def test_a_loop_that_writes_rows_one_by_one_is_a_suspect(plain):
    with recording() as record:
        for number in range(3):
            plain.execute(insert(User.__table__).values(name=f"John {number}"))
    [suspect] = record.suspects
    assert suspect.advice.startswith("Write all rows with one statement: insert(Model) with a list")


@pytest.mark.parametrize(("earlier", "shown"), [([], ["transaction begun"]), ([TAKEN], [TAKEN])])
def test_a_transaction_is_not_shown_to_begin_after_its_first_connection(earlier, shown):
    record, tm = Record(), TransactionManager(explicit=True)
    record.begin_attempt(1, 1)
    tm.begin()
    for kind in earlier:
        record.add(Event(kind))
    synchronizer = Synchronizer(record)
    tm.registerSynch(synchronizer)
    assert [event.kind for event in record.events[1:]] == shown
    tm.abort()
    tm.begin()
    assert record.events[-1].kind == "transaction begun"


def test_the_same_question_asked_again_is_none(plain, make_user):
    make_user()
    with recording() as record:
        for _ in range(3):
            plain.scalar(select(User.name).where(User.id == 1))
    assert record.suspects == []


def test_a_key_that_is_a_secret_is_masked(plain):
    with recording() as record:
        plain.add(Receipt(token="0" * 32, location="", digest="1" * 64))
        plain.flush()
    assert [(change.model, change.key) for change in record.changes] == [("receipt", "***")]


def test_secrets_are_masked(plain, make_user):
    make_user("John Doe")
    secret = "of-nobody-else"
    with recording() as record:
        plain.add(User(name="Jane Doe", password_hash=secret))
        plain.get(User, 1).password_hash = secret
        plain.flush()
        plain.execute(text("UPDATE users SET password_hash = :new").bindparams(new="x"))
        plain.connection().exec_driver_sql(
            "UPDATE users SET password_hash = "
            + ("%s WHERE id = %s" if plain.bind.dialect.name == "postgresql" else "? WHERE id = ?"),
            (secret, 1),
        )
    assert secret not in f"{record.as_text()} {record.changes}"
    assert record.as_text().count("***") >= 3
    assert [change.values["password_hash"] for change in record.changes] == [("", "***"), ("None", "***")]


def test_a_sign_in_shows_no_secret(stranger, outside, recorded):
    form = stranger.get("/signin").forms["record"]
    form["email"], form["password"] = signed_in.EMAIL, signed_in.PASSWORD
    with recorded() as record:
        form.submit(status=303)
    assert record.commits
    with outside.connect() as connection:
        secrets = connection.scalars(
            select(SignIn.token).union_all(select(User.password_hash).where(User.password_hash.is_not(None)))
        ).all()
    assert len(secrets) >= 2
    shown = f"{record.as_text()} {record.changes}"
    assert [secret for secret in [*secrets, signed_in.PASSWORD] if secret in shown] == []


def test_a_flush_tells_values_before_and_after(plain, make_user, make_post):
    post = make_post(author=make_user("John Doe", age=30))
    with recording() as record:
        plain.scalars(select(User).where(User.id == post.author_id).options(undefer("*"))).one().age = 31
        plain.delete(plain.get(Post, post.id))
        plain.flush()
    changed, deleted = record.changes
    assert (changed.kind, changed.model, changed.key, changed.values["age"]) == ("changed", "user", "1", ("30", "31"))
    assert (deleted.kind, deleted.model, deleted.values["title"]) == ("deleted", "post", ("'Hello'", ""))
    assert [event.text for event in record.events if event.kind == FLUSH] == ["1 changed", "1 deleted"]  # By autoflush.


def test_what_a_savepoint_has_rolled_back_is_no_change(plain):
    with recording() as record:
        savepoint = plain.begin_nested()
        plain.add(User(name="Jim Doe"))
        plain.flush()
        savepoint.rollback()
        plain.add(User(name="Jane Doe"))
        plain.flush()
    assert [change.values["name"][1] for change in record.changes] == ["'Jane Doe'"]


def test_a_record_keeps_no_session_alive(record, make_user):
    make_user()
    sessions = []

    def view(request):
        sessions.append(weakref.ref(request.dbsession))
        with request.dbsession.begin_nested():
            request.dbsession.add(User(name="Jane Doe"))

    found = record(view)
    gc.collect()
    assert (found.commits, sessions[0]()) == (1, None)


def test_long_values_are_clipped(plain):
    with recording() as record:
        plain.add(User(name="J" * 190))
        plain.flush()
        plain.execute(text("SELECT :long").bindparams(long=b"x" * 1_000_000))
    assert max(len(statement.parameters) for statement in record.statements) < 600
    assert len(record.changes[0].values["name"][1]) < 130


def test_a_record_keeps_a_limited_number_of_events():
    record = Record(most_events=10)
    for _ in range(100):
        record.add(Statement("statement", "SELECT 1"))
    record.add(Event(COMMIT))
    assert (len(record.events), record.events[-1].kind) == (11, COMMIT)
    assert (record.statement_count, record.left_out) == (100, 90)
    assert record.as_text().endswith("… and 90 events more")


def test_what_a_listener_sends_before_a_commit_is_shown_before_it(outside, plain):
    def send(connection):
        connection.exec_driver_sql("SELECT 1")

    event.listen(outside, "commit", send)
    with recording() as record:
        plain.add(User(name="Jane Doe"))
        plain.commit()
    assert [found.kind for found in record.events[-3:]] == ["statement", "COMMIT", "connection returned"]
    assert record.events[-2].at_ms >= record.statements[-1].at_ms + record.statements[-1].took_ms


def test_a_record_keeps_a_limited_number_of_changes(plain, monkeypatch):
    monkeypatch.setattr(record_module, "MOST_CHANGES", 3)
    with recording() as record:
        plain.add_all(User(name=f"John {number}") for number in range(5))
        plain.flush()
    assert len(record.changes) == 3


def test_a_connection_tells_its_database_without_the_password(plain):
    with recording() as record:
        plain.execute(text("SELECT 1"))
    [connection] = record.connections
    assert connection.database == plain.bind.url.render_as_string()
    [taken] = [event for event in record.events if event.kind == TAKEN]
    assert re.fullmatch(r"after \d+\.\d ms, 1 in use", taken.text)


def test_other_threads_belong_to_the_record_of_a_test_only(record, outside):
    def view(request):
        request.dbsession.get(User, 1)
        thread = threading.Thread(target=lambda: outside.connect().close())
        thread.start()
        thread.join()

    with recording() as of_test:
        of_request = record(view, "GET")
    assert (len(of_request.connections), len(of_test.connections)) == (1, 2)


def test_a_template_is_the_place_of_what_it_loads(plain, tmp_path, make_user, make_post):
    people(make_user, make_post)
    (tmp_path / "list.jinja2").write_text("<ul>\n{% for user in users %}<li>{{ user.posts | length }}</li>{% endfor %}")
    template = Environment(loader=FileSystemLoader(tmp_path), autoescape=True).get_template("list.jinja2")
    users = plain.scalars(select(User).where(User.id > 0)).all()
    with recording() as record:
        template.render(users=users)
    assert [suspect.place for suspect in record.suspects] == [f"{tmp_path.name}/list.jinja2:2"]
