"""Outside a request: the same Session with `transaction.manager`, and plain Sessions of SQLAlchemy on our Engine."""

import pytest
import transaction
from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.orm import Session, sessionmaker

from myproject.db import get_engine, get_session_factory, get_tm_session
from myproject.models import User


@pytest.fixture
def engine(database_url):
    """The engine of a script."""
    engine = get_engine(database_url)
    yield engine
    assert engine.pool.checkedout() == 0
    engine.dispose()


@pytest.fixture
def factory(engine):
    """The session factory of a script."""
    return get_session_factory(engine)


def test_a_script_commits_when_its_block_ends(factory, names):
    with transaction.manager:
        session = get_tm_session(factory, transaction.manager)
        session.add(User(name="John Doe"))
        session.flush()
        session.execute(insert(User.__table__).values(name="Jane Doe"))
    assert names() == ["John Doe", "Jane Doe"]


def test_a_script_aborts_when_its_block_raises(factory, names):
    def script():
        with transaction.manager:
            session = get_tm_session(factory, transaction.manager)
            session.execute(insert(User.__table__).values(name="Jane Doe"))
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        script()
    assert names() == []


def test_a_script_can_use_its_own_transaction_manager(factory, names):
    tm = transaction.TransactionManager(explicit=True)
    with tm:
        get_tm_session(factory, tm).add(User(name="Jane Doe"))
    assert names() == ["Jane Doe"]


def test_a_script_can_use_several_transactions(factory, names):
    for name in "Jane Doe", "Jim Doe":
        with transaction.manager:
            get_tm_session(factory, transaction.manager).add(User(name=name))
    assert names() == ["Jane Doe", "Jim Doe"]


def test_a_read_only_session_of_a_script_cannot_write(factory, names):
    def script():
        with transaction.manager:
            session = get_tm_session(factory, transaction.manager, read_only=True)
            session.execute(insert(User).values(name="Jane Doe"))

    with pytest.raises(DBAPIError, match=r"read-?only"):
        script()
    assert names() == []


def test_a_session_ends_with_its_transaction(factory):
    with transaction.manager:
        session = get_tm_session(factory, transaction.manager)
        session.add(User(name="Jane Doe"))
    with pytest.raises(InvalidRequestError, match="Autobegin is disabled"):
        session.add(User(name="Jim Doe"))


def test_a_session_cannot_commit_by_itself(factory, names):
    def script():
        with transaction.manager:
            session = get_tm_session(factory, transaction.manager)
            session.add(User(name="Jane Doe"))
            session.commit()

    with pytest.raises(InvalidRequestError, match="transaction manager"):
        script()
    assert names() == []


@pytest.mark.parametrize("use", ["connection", "commit", "begin_nested"])
def test_a_session_without_a_transaction_manager_cannot_begin(use, factory):
    with factory() as session, pytest.raises(InvalidRequestError):
        getattr(session, use)()


def test_a_session_without_a_transaction_manager_says_so(factory, names):
    def script():
        with factory.begin() as session:
            session.add(User(name="Jane Doe"))

    with pytest.raises(InvalidRequestError, match="transaction manager"):
        script()
    assert names() == []


def test_a_bare_session_commits_on_request(engine, names):
    with Session(bind=engine) as session, session.begin():
        session.add(User(name="Jane Doe"))
    assert names() == ["Jane Doe"]


def test_a_bare_session_does_not_commit_by_itself(engine, names):
    with Session(bind=engine) as session:
        session.add(User(name="Jane Doe"))
        session.flush()
    assert names() == []


def test_a_plain_sessionmaker_commits_a_block(engine, names):
    with sessionmaker(engine).begin() as session:
        session.add(User(name="Jane Doe"))
    assert names() == ["Jane Doe"]


def test_a_plain_sessionmaker_aborts_a_block_that_raises(engine, names):
    def script():
        with sessionmaker(engine).begin() as session:
            session.execute(insert(User.__table__).values(name="Jane Doe"))
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        script()
    assert names() == []
