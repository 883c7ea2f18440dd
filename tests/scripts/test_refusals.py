"""A database that cannot be used ends each command with one sentence, without a traceback."""

import io
import time

import pytest
import sqlalchemy

from myproject.scripts import backup_db, create_admin, demo, import_users, initialize_db, prune_history
from tests.conftest import INI
from tests.postgresql import free_port
from tests.signed_in import PASSWORD

COMMANDS = {
    "initialize_db": lambda: initialize_db.main([INI]),
    "create_admin": lambda: create_admin.main([INI, "ada@example.com", "--password-stdin"]),
    "prune_history": lambda: prune_history.main([INI]),
    "backup_db": lambda: backup_db.main([INI, "a backup"]),
    "import_users": lambda: import_users.main([INI, INI]),
}


@pytest.fixture(params=COMMANDS)
def refusal(request, monkeypatch):
    """Call `refusal(url)`: run a command on this database; return the sentence with which it ends."""

    def run(url):
        monkeypatch.setenv("DATABASE_URL", url)
        monkeypatch.setenv("MYPROJECT_SECRET", "x" * 32)
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
        with pytest.raises(SystemExit) as stop:
            COMMANDS[request.param]()
        sentence = str(stop.value)
        assert ("\n" in sentence, sentence[-1]) == (False, ".")
        return sentence

    return run


@pytest.fixture
def guest(postgresql):
    """A role of PostgreSQL that has to say its password, and has no rights in any database."""
    rules = postgresql.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"host all guest 127.0.0.1/32 scram-sha-256\n{before}")
    postgresql.execute("CREATE ROLE guest LOGIN PASSWORD 'right'")
    postgresql.execute("SELECT pg_reload_conf()")
    url = sqlalchemy.make_url(postgresql.url("migrated")).set(username="guest", password="right")
    deadline = time.monotonic() + 10
    while accepts(url.set(password="wrong")):  # The server reads its rules a moment later.
        assert time.monotonic() < deadline
    yield url
    rules.write_text(before)
    postgresql.execute("DROP ROLE guest")
    postgresql.execute("SELECT pg_reload_conf()")


def accepts(url):
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    try:
        engine.connect().close()
    except sqlalchemy.exc.OperationalError:
        return False
    return True


def text_of(url):
    return url.render_as_string(hide_password=False)


def test_a_wrong_password_is_one_sentence(refusal, guest):
    sentence = refusal(text_of(guest.set(password="wrong")))
    assert "password authentication failed" in sentence
    assert "wrong" not in sentence


def test_a_role_without_rights_is_one_sentence(refusal, guest):
    assert "permission denied" in refusal(text_of(guest))


def test_a_database_that_does_not_exist_is_one_sentence(refusal, guest):
    assert "does not exist" in refusal(text_of(guest.set(database="nosuch")))


def test_a_server_that_is_away_is_one_sentence(refusal):
    pytest.importorskip("psycopg")
    assert "refused" in refusal(f"postgresql+psycopg://postgres@127.0.0.1:{free_port()}/users")


def test_a_missing_folder_is_one_sentence(refusal, tmp_path):
    assert f"{tmp_path / 'missing'}, which is not a folder" in refusal(f"sqlite:///{tmp_path}/missing/users.sqlite")


def test_a_folder_is_one_sentence(refusal, tmp_path):
    (tmp_path / "folder.sqlite").mkdir()
    assert f"{tmp_path}/folder.sqlite: unable to open database file" in refusal(f"sqlite:///{tmp_path}/folder.sqlite")


def test_a_file_that_is_no_database_is_one_sentence(refusal, tmp_path):
    (tmp_path / "text.sqlite").write_text("no database" * 1000)
    assert f"{tmp_path}/text.sqlite: file is not a database" in refusal(f"sqlite:///{tmp_path}/text.sqlite")


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_with_another_encoding_is_one_sentence(refusal, postgresql, encoding):
    postgresql.execute(f"CREATE DATABASE other TEMPLATE template0 LOCALE 'C' ENCODING '{encoding}'")
    sentence = refusal(postgresql.url("other"))
    postgresql.execute("DROP DATABASE other")
    assert f"the encoding {encoding}, which cannot store every text; create one with UTF8" in sentence


# By what is wrong with it, the text of an ini file and what the sentence says.
INIS = {
    "missing": (None, "There is no file "),
    "empty": ("", "No section 'main'"),
    "without sections": ("port = 1", "File contains no section headers"),
    "of another package": ("[app:main]\nuse = egg:nosuch\n", "nosuch"),
    "a single %": ("[app:main]\nuse = egg:myproject\nsqlalchemy.url = p%40ss\n", "write %% for each % in a value"),
}


@pytest.mark.parametrize("problem", INIS)
@pytest.mark.parametrize("command", [initialize_db, create_admin, demo], ids=["initialize_db", "create_admin", "demo"])
def test_an_ini_file_that_cannot_be_read_is_one_sentence(command, problem, tmp_path):
    text, said = INIS[problem]
    ini = tmp_path / "mistyped.ini"
    if text is not None:
        ini.write_text(text)
    with pytest.raises(SystemExit) as stop:
        command.main([str(ini), "ada@example.com"] if command is create_admin else [str(ini)])
    assert said in str(stop.value)
    assert str(ini) in str(stop.value)
    assert "\n" not in str(stop.value)
    assert "40ss" not in str(stop.value)
