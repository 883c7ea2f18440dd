"""An answer of any length is read page by page while it is sent; a slow client holds no connection."""

import http.client
import socket
import time

import pytest
from pyramid.response import Response
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import InvalidRequestError, SQLAlchemyError
from sqlalchemy.orm import Session
from transaction.interfaces import NoTransaction

from myproject.db import stream_rows
from myproject.models import User

pytestmark = pytest.mark.usefixtures("nobody")

USERS = User.__table__
NAMES = select(USERS.c.name)
LINE = 50_000  # bytes of the body for each row


@pytest.fixture
def factory(wsgi):
    """The factory of the application's Sessions."""
    return wsgi.registry["dbsession_factory"]


@pytest.fixture
def people(outside):
    """Call `people(*names)`: store users with these names through the second connection."""

    def store(*names):
        with outside.begin() as connection:
            connection.execute(insert(USERS), [{"name": name} for name in names])

    return store


@pytest.fixture
def server(wsgi, port):
    """Call `server(read)`: let waitress send what `read(request)` yields; return its port."""

    def serve(read):
        wsgi.registry["probe"] = lambda request: Response(app_iter=read(request), content_type="text/plain")
        return port

    return serve


def streamed(request):
    for (name,) in stream_rows(request.registry["dbsession_factory"], NAMES, [USERS.c.id], size=10):
        yield name.encode().ljust(LINE)


def read_in_one_go(request):
    with Session(request.registry["dbsession_factory"].kw["bind"]) as session:
        for (name,) in session.execute(NAMES.order_by(USERS.c.id)):
            yield name.encode().ljust(LINE)


def stalled_client(port):
    """Return a client that has read the beginning of its answer, and stalls."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(b"GET /probe HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert client.recv(12) == b"HTTP/1.1 200"
    return client


def get(port):
    """Return the lines of the complete answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/probe")
    body = connection.getresponse().read()
    connection.close()
    return [line.decode().strip() for line in map(bytes, zip(*[iter(body)] * LINE, strict=True))]


def settled(measure, wanted):
    """Return `measure()` as soon as it is `wanted`, or after two seconds."""
    for _ in range(100):
        if measure() == wanted:
            break
        time.sleep(0.02)
    return measure()


def test_five_stalled_clients_hold_no_connection(server, people, engine):
    people(*map(str, range(200)))
    port = server(streamed)
    clients = [stalled_client(port) for _ in range(5)]
    assert settled(engine.pool.checkedout, 0) == 0
    assert get(port) == [str(number) for number in range(200)]
    for client in clients:
        client.close()


@pytest.mark.usefixtures("stock")
def test_five_stalled_clients_hold_all_connections_of_a_session_for_the_whole_answer(server, people, engine):
    """The control."""
    people(*map(str, range(200)))
    port = server(read_in_one_go)
    clients = [stalled_client(port) for _ in range(5)]
    assert settled(engine.pool.checkedout, 5) == 5
    for client in clients:
        client.close()
    assert settled(engine.pool.checkedout, 0) == 0


def test_a_client_that_disconnects_leaks_no_connection(server, people, engine, caplog):
    people(*map(str, range(200)))
    ended = []

    def read(request):
        try:
            yield from streamed(request)
        finally:
            ended.append(engine.pool.checkedout())

    stalled_client(server(read)).close()
    assert settled(lambda: ended, [0]) == [0]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.passes_ledger_by
def test_a_failed_read_truncates_the_answer_and_is_logged(server, people, engine, outside, caplog):
    people(*map(str, range(30)))

    def read(request):
        for number, line in enumerate(streamed(request)):
            if number == 15:
                with outside.begin() as connection:
                    connection.execute(text("ALTER TABLE users RENAME TO people"))
            yield line

    port = server(read)
    with pytest.raises(http.client.IncompleteRead):
        get(port)
    assert "Exception while serving /probe" in caplog.text
    assert engine.pool.checkedout() == 0


@pytest.mark.usefixtures("stock")
def test_an_answer_that_reads_by_the_request_s_session_leaks_a_connection(probe, people, engine):
    """The control: the transaction is over before the body is read."""
    people("John Doe")
    sessions = []

    def view(request):
        sessions.append(request.dbsession)
        return Response(app_iter=(name.encode() for _ in "x" for name in request.dbsession.scalars(NAMES)))

    with pytest.raises(NoTransaction):
        probe(view, method="GET")
    assert engine.pool.checkedout() == 1
    sessions[0].close()


def test_an_answer_that_reads_by_the_request_s_session_is_refused(probe, people, checkouts):
    people("John Doe")

    def view(request):
        session = request.dbsession
        return Response(app_iter=(name.encode() for _ in "x" for name in session.scalars(NAMES)))

    with pytest.raises(InvalidRequestError):
        probe(view, method="GET")
    assert checkouts == []


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20, 25])
def test_every_row_is_yielded_once_and_in_order(count, factory, people):
    names = [str(number) for number in range(count)]
    if names:
        people(*names)
    assert list(stream_rows(factory, NAMES, [USERS.c.id], size=10)) == [(name,) for name in names]


def test_several_keys_are_supported(factory, people):
    people(*"CABACBA")
    rows = list(stream_rows(factory, select(USERS.c.name, USERS.c.id), [USERS.c.name, USERS.c.id], size=2))
    assert rows == [("A", 2), ("A", 4), ("A", 7), ("B", 3), ("B", 6), ("C", 1), ("C", 5)]


def test_the_order_can_be_descending(factory, people):
    people(*"CABACBA")
    keys = [USERS.c.name, USERS.c.id]
    rows = list(stream_rows(factory, select(*keys), keys, size=2, descending=True))
    assert rows == [("C", 5), ("C", 1), ("B", 6), ("B", 3), ("A", 7), ("A", 4), ("A", 2)]


def test_a_key_can_be_a_moment_in_time(factory, make_user):
    for name in "ABCDE":
        make_user(name)
    rows = stream_rows(factory, NAMES, [User.created_at, User.id], size=2)
    assert [name for (name,) in rows] == list("ABCDE")


def test_the_query_keeps_its_own_conditions(factory, people):
    people(*"ABCDEF")
    rows = stream_rows(factory, NAMES.where(USERS.c.name != "C"), [USERS.c.id], size=2)
    assert [name for (name,) in rows] == list("ABDEF")


def test_rows_inserted_and_deleted_meanwhile_do_not_affect_others(factory, people, outside):
    people(*map(str, range(100)))
    seen = []
    for (name,) in stream_rows(factory, NAMES, [USERS.c.id], size=7):
        seen.append(int(name))
        with outside.begin() as connection:
            if len(seen) < 30:
                connection.execute(insert(USERS).values(name=str(100 + len(seen))))
            # Half of them before the present position, half after it.
            connection.execute(delete(USERS).where(USERS.c.name.in_([str(seen[-1]), str(99 - len(seen) * 2)])))
    stayed = [number for number in range(100) if number == 99 or number % 2 == 0]
    assert seen == sorted(set(seen))
    assert [number for number in seen if number in stayed] == stayed


def test_a_row_changed_meanwhile_is_yielded_once(factory, people, outside):
    people(*"ABCD")
    rows = stream_rows(factory, NAMES, [USERS.c.id], size=2)
    seen = [next(rows)]
    with outside.begin() as connection:
        connection.execute(update(USERS).values(name="Z"))
    assert [*seen, *rows] == [("A",), ("B",), ("Z",), ("Z",)]


def test_one_page_of_rows_is_read_at_a_time(factory, people, recorded):
    people(*map(str, range(30)))
    with recorded() as record:
        rows = stream_rows(factory, NAMES, [USERS.c.id], size=10)
        read = [record.statement_count for _ in rows]
    assert read == [1] * 10 + [2] * 10 + [3] * 10


@pytest.mark.parametrize(("count", "pages"), [(0, 1), (9, 1), (10, 2), (11, 2)])
def test_nothing_is_read_after_a_page_that_is_not_full(factory, people, recorded, count, pages):
    if count:
        people(*map(str, range(count)))
    with recorded() as record:
        assert len(list(stream_rows(factory, NAMES, [USERS.c.id], size=10))) == count
    assert record.statement_count == pages


def test_between_two_rows_no_connection_is_held(factory, people, engine):
    people(*"ABCD")
    rows = stream_rows(factory, NAMES, [USERS.c.id], size=2)
    assert [engine.pool.checkedout() for _ in rows] == [0] * 4


def test_a_stream_cannot_write(factory, people, names):
    people("John Doe")
    writing = insert(USERS).values(name="Jane Doe").returning(USERS.c.name).cte("writing")
    with pytest.raises(SQLAlchemyError):
        list(stream_rows(factory, select(writing.c.name), [writing.c.name]))
    assert names() == ["John Doe"]


def test_a_stream_does_not_wait_for_a_writer(factory, people, outside):
    people(*"ABCD")
    with outside.begin() as connection:
        connection.execute(update(USERS).values(name="Z"))
        assert [name for (name,) in stream_rows(factory, NAMES, [USERS.c.id], size=2)] == list("ABCD")
        connection.rollback()
