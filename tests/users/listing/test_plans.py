"""No page of the list reads all rows where an index can serve: each operation reads a bounded number of rows.

One database of 100,000 people for each kind of database, stored once; all operations on it are subtests.
"""

import itertools
import random
import re
import shutil
import zlib
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, event, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from myproject.db import IReadingTookTooLong, get_engine
from myproject.db.folding import fold, initials
from myproject.models import User
from myproject.users.listing import page as listing_page
from myproject.users.listing import rows as listing_rows
from myproject.users.listing import sqlite
from myproject.users.listing.criteria import criteria_of
from myproject.users.listing.page import LARGEST_EXACT_COUNT, count_choices, read_list
from myproject.users.listing.view import ORDERS, read_view
from myproject.web.pagination import ALL_ROWS, LAST_PAGE, in_order
from tests.users.listing.oracle import UTC, day
from tests.web.test_pagination import encode

MANY = 100_000
# Smaller than in earnest, so that the number of each of twelve kinds is not that of all users.
LARGEST_COUNT = 1000
# Of an operation: samples, rows in order (of both parts of a ranked list), rows that are counted for the page and for
# each kind, and the few hits.
MOST_ROWS = (
    4 * listing_rows.SAMPLE_SIZE + 2 * listing_rows.MOST_ROWS_IN_ORDER + 14 * LARGEST_COUNT + 4 * listing_rows.FEW_HITS
)
# SQLite's virtual machine takes some 7 steps for a row that it reads and looks at.
STEPS_OF_ROW = 7
MOST_THOUSAND_STEPS = STEPS_OF_ROW * MOST_ROWS // 1000
# Of a turn to another page of the whole list: of each of two parts one page, and what is shown of them, by their ids.
MOST_ROWS_OF_TURN = 4 * 26
MOST_THOUSAND_STEPS_OF_TURN = 3

LATIN = ["john", "ada", "josé", "mary", "peter", "o'neil", "anna", "zoë", "lee", "maria", "ivan", "kim"]
KOREAN = ["김철수", "이영희", "박민수", "최지우", "정하늘", "강바다"]
ENDINGS = ["son", "berg", "ovic", "ez", "ley", "ström"]


def people(first, last):
    """Return people, dictionaries, of the numbers from `first` to `last`: each value is as common at any number."""
    chance = random.Random(first)
    moment = day(2020, 1, 1)
    rows = []
    for number in range(first, last + 1):
        korean = chance.random() < 0.3
        name = chance.choice(KOREAN) if korean else f"{chance.choice(LATIN)} {chance.choice(LATIN)}{number % 997}"
        name += f" {chance.choice(ENDINGS)}{number % 89}" if chance.random() < 0.5 else ""
        # A rare letter and a rare word, at any number of people.
        name += {500: " 龘", 501: " xylophone"}.get(number % 5000, "")
        email = f"{fold(name.split()[0]) if not korean else 'user'}{number}@{chance.choice(['a', 'b'])}.example".lower()
        email = email if chance.random() < 0.9 and email.isascii() else None
        rows.append(
            {
                "id": number,
                "name": name,
                "email": email,
                "age": chance.choice([None, *range(18, 80)]),
                "role": chance.choices(["member", "editor", "admin"], [90, 9, 1])[0],
                "active": chance.random() < 0.9,
                "has_posts": chance.random() < 0.2,
                "created_at": moment + timedelta(minutes=number * 17 % (MANY * 20)),
                "search_text": f" {fold(name)}\n {initials(fold(name))}\n{email or ''}\n\n",
                "password_hash": None,
                "version": 1,
                "updated_at": moment,
            }
        )
    return rows


SORTS = [sign + order for order in ORDERS for sign in ("", "-")]
WORDS = {
    "a rare word": "xylophone",
    "a common word": "john",
    "two common words": "john son",
    "an absent word": "zzqx",
    "a part of an address": "7@a.exa",
    "one letter": "o",
    "one rare letter": "龘",
    "one absent letter": "ж",
    "one Korean sound": "ㄱ",
    "a syllable": "김",
    "two letters": "ez",
    "four words": "a o n xylophone",
    "four common words": "john son a example",
    "a word of an address": "email:@a.example",
    "a common word without another": "john -ada",
    "a phrase": '"ada john"',
}
FILTERS = {
    "role": {"role": "admin"},
    "members": {"role": "member"},
    "active": {"active": "no"},
    "posts": {"posts": "yes"},
    "age": {"age_from": "30", "age_to": "40"},
    "one age": {"age_from": "30", "age_to": "30"},
    "joined": {"joined_from": "2021", "joined_to": "2021"},
    "a day of joining": {"joined_from": "2021-01-31", "joined_to": "2021-01-31"},
}
PLACES = ["first", "opened", "last"]
MIDDLES = {"name": "kim", "email": "m", "age": 40, "joined": day(2021, 6, 1)}
# How deep in the list, as a share of it: among those without an email, of one age, of each role and either activity.
DEPTHS = [0.005, 0.05, 0.5, 0.95, 0.995]


def operations():
    """Yield (name, parameters of the address, place) of each page that is opened."""
    for sort, place in itertools.product(SORTS, PLACES):
        yield f"{sort}, {place}", {"sort": sort}, place
    for name, words in WORDS.items():
        yield name, {"q": words}, "first"
        # In the order of the names, Koreans come last: the documented exception, see docs/performance.md.
        if name not in ("a syllable", "one Korean sound"):
            yield f"{name} by name", {"q": words, "sort": "name"}, "first"
    for name, parameters in narrowed():
        for sort in ("name", "-joined", "age"):
            yield f"{name} by {sort}", {**parameters, "sort": sort}, "first"


def narrowed():
    """Return (name, parameters of the address) of each filter, and of each two of them."""
    pairs = itertools.combinations(FILTERS.items(), 2)
    return [*FILTERS.items(), *((f"{one[0]}, {other[0]}", {**one[1], **other[1]}) for one, other in pairs)]


def perform(session, parameters, place):
    """Do all that a page of the list does, with the panel of the filters open."""
    view = read_view(parameters)
    start = MIDDLES.get(view.order) if place == "opened" else None
    page, _count = read_list(session, view, UTC, LAST_PAGE if place == "last" else None, start=start)
    if place == "opened":
        read_list(session, view, UTC, page.next)
    count_choices(session, view, UTC)


def count_everybody(session):
    """Count the users of a view of almost all of them."""
    read_list(session, read_view({"q": "-zzz"}), UTC, exactly=True)


def turns(session):
    """Yield (name, what turns a page) of each kind of turn; each is a request of its own."""
    for sort in SORTS:
        view = read_view({"sort": sort})
        for depth, side in itertools.product(DEPTHS, ("after", "before")):
            cursor = encode([zlib.crc32(view.query.encode()), side, *edge_at(session, view, depth)])
            yield f"{sort}, {side} {depth}", lambda view=view, cursor=cursor: turn(session, view, cursor)
        last = turn(session, view, LAST_PAGE)
        previous = turn(session, view, last.previous)
        for name, cursor in {"last": LAST_PAGE, "previous": last.previous, "next": previous.next}.items():
            yield f"{sort}, {name}", lambda view=view, cursor=cursor: turn(session, view, cursor)


def turn(session, view, cursor):
    """Return the Page at `cursor` of a view."""
    return read_list(session, view, UTC, cursor)[0]


def edge_at(session, view, depth):
    """Return the keys of the row at a depth of a view, as they stand in a cursor."""
    rows = select(*view.keys).order_by(*in_order(view.keys, not view.descending))
    *first, number = session.execute(rows.offset(int(MANY * depth)).limit(1)).one()
    return *(key.isoformat() if view.order == "joined" else key for key in first), number


def fill(engine, rows):
    """Store `rows` as one who brings a whole database does: past the triggers, and the indexes made when all is there.

    What SQLite's triggers keep is made of what is stored.
    """
    sqlite = engine.dialect.name == "sqlite"
    kept = "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = 'users' AND type IN ('index', 'trigger')"
    if not sqlite:
        kept = "SELECT 'INDEX', indexname, indexdef AS sql FROM pg_indexes WHERE tablename = 'users'"
        kept += " AND indexname NOT LIKE 'pk%%'"
    with engine.begin() as connection:
        made = [row for row in connection.exec_driver_sql(kept) if row.sql]
        for kind, name, _sql in made:
            connection.exec_driver_sql(f"DROP {kind} {name}")
        if sqlite:
            connection.exec_driver_sql("PRAGMA cache_size = -100000")
            connection.execute(insert(User.__table__), rows)
            connection.exec_driver_sql("INSERT INTO users_trigrams (users_trigrams) VALUES ('rebuild')")
        else:
            connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '200MB'")
            connection.exec_driver_sql("ALTER TABLE users DISABLE TRIGGER USER")
            with connection.connection.cursor().copy(f"COPY users ({', '.join(rows[0])}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(tuple(row.values()))
            connection.exec_driver_sql("ALTER TABLE users ENABLE TRIGGER USER")
        for _kind, _name, sql in made:
            connection.exec_driver_sql(sql)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request, tmp_path_factory):
    """An engine of a database with MANY people, as it is after some use: stored once, since no test changes it."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path_factory.mktemp("filled"))
        engine = create_engine(f"sqlite:///{path}")
        fill(engine, people(1, MANY))
    else:
        server = request.getfixturevalue("postgresql")
        server.execute("CREATE DATABASE filled TEMPLATE migrated STRATEGY file_copy")
        engine = create_engine(server.url("filled"))
        fill(engine, people(1, MANY))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE users")
    yield engine
    engine.dispose()
    if request.param == "postgresql":
        server.execute("DROP DATABASE filled")


def statements_of(engine, work):
    """Return the statements that `work()` sends, with their parameters."""
    statements = []

    def record(_connection, _cursor, statement, parameters, *_rest):
        statements.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", record)
    work()
    event.remove(engine, "before_cursor_execute", record)
    return [given for given in statements if not given[0].startswith(("EXPLAIN", "SET"))]


def index_names(engine):
    """Return the names of the indexes that serve the list on this database."""
    return {
        index.name
        for index in User.__table__.indexes
        if index.name.startswith("ix_users_")
        and index.name != "ix_users_can_sign_in"
        and (engine.dialect.name == "postgresql" or not index.dialect_options["postgresql"]["using"])
    }


def nodes_of(plan):
    """Yield the nodes of a plan of PostgreSQL."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes_of(part)


def rows_read(node):
    """Return how many rows, or entries of an index, a node of a plan of PostgreSQL has read."""
    if not {"Relation Name", "Index Name"} & node.keys():
        return 0
    each = [node[name] for name in node if name == "Actual Rows" or name.startswith("Rows Removed by ")]
    return sum(each) * node["Actual Loops"]


def rows_of(session, work):
    """Return how many rows PostgreSQL reads for `work()`, and its scans and indexes."""
    rows, plans = 0, []
    for statement, parameters in statements_of(session.get_bind(), work):
        explained = session.connection().exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
        plans.append(explained.scalar()[0]["Plan"])
        rows += sum(map(rows_read, nodes_of(plans[-1])))
    nodes = [node for plan in plans for node in nodes_of(plan)]
    scans = [f"{node['Node Type']} {node.get('Relation Name')}" for node in nodes]
    return rows, [*scans, *(node["Index Name"] for node in nodes if "Index Name" in node)]


def steps_of(session, work):
    """Return how many steps, in thousands, SQLite's virtual machine takes for `work()`, and its plans."""
    driver, thousands, plans = session.connection().connection.dbapi_connection, [], []

    def step():
        thousands.append(1)

    def counted():
        driver.set_progress_handler(step, 1000)
        work()
        driver.set_progress_handler(None, 0)

    for statement, parameters in statements_of(session.get_bind(), counted):
        explained = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        plans += [row.detail for row in explained]
    return len(thousands), plans


@pytest.mark.parametrize("filled", ["sqlite"], indirect=True)
def test_no_operation_of_the_list_reads_all_users_on_sqlite(filled, subtests, monkeypatch):
    monkeypatch.setattr(listing_page, "LARGEST_EXACT_COUNT", LARGEST_COUNT)
    used = set()
    with Session(filled) as session:
        # What the measure tells for an operation that does.
        assert steps_of(session, lambda: count_everybody(session))[0] > MOST_THOUSAND_STEPS
        for name, parameters, place in operations():
            with subtests.test(name):
                steps, plans = steps_of(session, lambda p=parameters, at=place: perform(session, p, at))
                assert steps <= MOST_THOUSAND_STEPS
                used |= set(re.findall(r"INDEX (\w+)", " ".join(plans)))
                # The table itself is in the order of adding, for a page and for the sample of a search or of two
                # ranges: then the steps alone tell how far it was read.
                is_sampled = "q" in parameters or {"age_from", "joined_from"} <= {*parameters}
                is_read = read_view(parameters).order == "added" or is_sampled
                assert is_read or "SCAN users" not in plans
    # So the loss of any index would show.
    assert index_names(filled) <= used


@pytest.mark.parametrize("filled", ["postgresql"], indirect=True)
def test_no_operation_of_the_list_reads_all_users_on_postgresql(filled, subtests, monkeypatch):
    monkeypatch.setattr(listing_page, "LARGEST_EXACT_COUNT", LARGEST_COUNT)
    used = set()
    with Session(filled) as session:
        assert rows_of(session, lambda: count_everybody(session))[0] >= MANY
        for name, parameters, place in operations():
            with subtests.test(name):
                rows, plans = rows_of(session, lambda p=parameters, at=place: perform(session, p, at))
                # Of two ranges, the users in one are checked for the other.
                has_two_ranges = {"age_from", "joined_from"} <= {*parameters}
                assert rows <= (MANY - 1 if has_two_ranges else MOST_ROWS)
                used |= {*plans}
    # So the loss of any index would show.
    assert index_names(filled) <= used


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("sort", SORTS)
def test_hits_are_sorted_without_an_index_of_the_order_on_sqlite(outside, monkeypatch, sort):
    monkeypatch.setattr(listing_rows, "FEW_HITS", -1)
    criteria = criteria_of(read_view({"q": "-zzz", "sort": sort}), UTC)
    with outside.connect() as connection:
        is_hit = sqlite.is_hit(sqlite.find_hits(connection, criteria, 1))
        statement = sqlite._select_sorted(criteria, is_hit, ALL_ROWS, True, 26)
        sql = str(statement.compile(outside, compile_kwargs={"literal_binds": True}))
        plans = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
    assert "USE TEMP B-TREE FOR ORDER BY" in plans


@pytest.mark.parametrize("filled", ["sqlite"], indirect=True)
def test_no_count_of_a_filtered_view_reads_much_more_than_its_limit_on_sqlite(filled, subtests):
    with Session(filled) as session:
        # Two ranges have no index together: the users in one of them are checked for the other.
        for name, parameters in [
            (name, each) for name, each in narrowed() if not {"age_from", "joined_from"} <= {*each}
        ]:
            with subtests.test(name):
                criteria = criteria_of(read_view(parameters), UTC)
                limit = LARGEST_EXACT_COUNT + 1
                steps, _plans = steps_of(
                    session, lambda c=criteria, most=limit: sqlite.find_hits(session.connection(), c, most)
                )
                assert steps <= 3 * STEPS_OF_ROW * LARGEST_EXACT_COUNT // 1000


@pytest.mark.parametrize("filled", ["sqlite"], indirect=True)
def test_no_page_turn_reads_more_than_two_pages_on_sqlite(filled, subtests, monkeypatch):
    # Without the count, which is the same for all pages.
    monkeypatch.setattr(listing_page, "LARGEST_EXACT_COUNT", 0)
    with Session(filled) as session:
        for name, work in turns(session):
            with subtests.test(name):
                steps, plans = steps_of(session, work)
                assert steps <= MOST_THOUSAND_STEPS_OF_TURN
                assert "added" in name or "SCAN users" not in plans


@pytest.mark.parametrize("filled", ["postgresql"], indirect=True)
def test_no_page_turn_reads_more_than_two_pages_on_postgresql(filled, subtests, monkeypatch):
    # Without the count, which is the same for all pages.
    monkeypatch.setattr(listing_page, "LARGEST_EXACT_COUNT", 0)
    with Session(filled) as session:
        for name, work in turns(session):
            with subtests.test(name):
                rows, _plans = rows_of(session, work)
                assert rows <= MOST_ROWS_OF_TURN


def test_a_search_that_reads_all_users_is_stopped_at_its_deadline(filled):
    # Everybody has one of these names, and so it takes a look at all to know that nobody has none.
    view = read_view({"q": " ".join(f"-{name}" for name in [*LATIN, *KOREAN])})
    limited = get_engine(filled.url, reading_seconds=0.01)
    with Session(limited.execution_options(read_only=True)) as session, pytest.raises(DBAPIError) as raised:
        turn(session, view, None)
    limited.dispose()
    assert IReadingTookTooLong.providedBy(raised.value)
