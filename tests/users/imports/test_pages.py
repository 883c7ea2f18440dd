"""An import through the pages: upload, check, import, undo, and what is refused."""

import io
import os
import time

import openpyxl
import pytest
import sqlalchemy
from webtest.forms import Upload

from myproject.db.base import utcnow
from myproject.models import Entry, SecurityEvent, SignIn, User
from myproject.users import sets
from myproject.users.imports import jobs, spool
from tests.conftest import finish_imports
from tests.people import add_person, browser_of, everything_stored
from tests.signed_in import PASSWORD

from .importing import Importing, wait_until

GOOD = b"name,email,age\r\nAda Lovelace,ada@example.com,36\r\nGrace Hopper,grace@example.com,85\r\n"
TWO_BAD = b"Alter;E-Mail;Name\n".replace(b"Alter", b"age") + (
    b"36;ADA@example.com ;Ada King\n151;grace@example.com;Grace Hopper\n;linus;Linus\n40;new@example.com;\xea\xb9\x80\n"
)


def names(rows):
    return [user.name for user in rows(User)]


def entries(rows):
    """Return how many imports the ledger has."""
    return len([entry for entry in rows(Entry) if entry.route == jobs.ROUTE])


def files(importing):
    """Return the names of all files below the spool, but for those that hold nothing of the upload."""
    return sorted(path.name for path in importing.spool.folder.rglob("*") if path.is_file() and path.stem != "saving")


def test_bad_lines_are_corrected_the_file_is_imported_and_undone(importing, app, rows, make_user):
    make_user("Ada Lovelace", email="ada@example.com", age=36)
    page = importing.upload(TWO_BAD)
    assert importing.numbers() == [1, 1, 0, 2]
    page.mustcontain("Because of the refused lines", "Enter a whole number from 0 to 150.", "linus")
    assert "record" not in page.forms
    changed = page.html.find("del").parent.text
    assert changed.split() == ["Name:", "Ada", "Lovelace", "→", "Ada", "King"]
    refused = page.click("Download them").body.decode("utf-8-sig")
    assert refused.splitlines()[0] == "age,E-Mail,Name,line,reason"
    corrected = refused.replace("151,", "85,").replace("linus,", "linus@example.com,")
    importing.upload(text=corrected)
    assert importing.numbers() == [2, 0, 0, 0]
    page = importing.save()
    page.mustcontain("The users were imported")
    assert names(rows) == ["Ada Lovelace", "Grace Hopper", "Linus"]
    assert files(importing).count("upload") == 1  # That of the first file, which was not imported.
    page.click("Undo", href="/undo").forms["record"].submit(status=303)
    assert names(rows) == ["Ada Lovelace"]


def test_the_good_lines_are_imported_if_the_person_says_so(importing, rows, app):
    page = importing.upload(TWO_BAD, lines="good")
    page.mustcontain("Import 2 users")
    page = importing.save()
    assert [(user.name, user.email, user.age) for user in rows(User)] == [
        ("Ada King", "ADA@example.com", 36), ("김", "new@example.com", 40),
    ]  # fmt: skip
    page.click("Download them").mustcontain("linus")
    assert app.get("/history").text.count("added 2 users") == 1


def test_the_refused_lines_are_left_out_by_one_button(importing, rows):
    page = importing.upload(b"name,email,role\nAda,ada,\nGrace,,boss\nLinus,,\n")
    [form] = [form for form in page.forms.values() if "again" in form.fields]
    form.submit("again", status=303)
    importing.ended().mustcontain("Import 1 user")
    # What it would do is shown before what is left out.
    headings = [heading.text for heading in importing.page.html.select("h2")]
    assert headings == ["New users", "Refused lines"]
    importing.save()
    assert names(rows) == ["Linus"]


def test_who_may_be_there_twice_is_said(importing, make_user):
    make_user("Ada")
    warning = "1 new user has no email. If they are in the list already, they will be there twice."
    importing.upload(b"name,email\nAda,\nGrace,grace@example.com\n").mustcontain(warning)
    importing.upload(b"name,email\nAda,\nGrace,grace@example.com\n", mode="add").mustcontain(no=warning)


BAD_FILES = {
    "empty": b"",
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "a zip": b"PK\x03\x04" + bytes(100),
    "NUL bytes": b"name,email\nAda\0,ada@example.com\n",
    "only a header": b"name,email\n",
    "a quote that never closes": b'name,email\n"Ada,ada@example.com\nGrace,grace@example.com\n',
    "many columns": b"name" + b"," * 10_000 + b"\nAda\n",
    "one long line": b"name,email\n" + b"x" * 2_000_000,
    "half a character": b"name,email\nAd\xc3,ada@example.com\nAd\xc3\xa1,b@example.com\n\xed\x95\x9c,c@example.com\n",
}


def test_a_file_that_is_no_table_is_refused_on_a_clear_page(importing, app, outside, subtests):
    before = everything_stored(outside)
    for name, content in BAD_FILES.items():
        with subtests.test(name):
            form = app.get("/users/import").forms["record"]
            form["upload"] = Upload("people.csv", content)
            answer = form.submit(status="*")
            if answer.status_int == 303:
                importing.page = answer.follow()
                answer = importing.ended()
            reasons = answer.html.select(".invalid-feedback, .alert-danger, #refused td")
            assert any(reason.text.strip() for reason in reasons)
            assert not [button for button in answer.html.select("main .btn-primary") if "Import" in button.text]
    assert everything_stored(outside) == before


def test_the_person_chooses_columns_that_are_not_recognised(importing, rows):
    page = importing.upload("Wer;Wann\nJosé;36\n".encode("cp1252"))
    page.mustcontain("No column has the name", "Latin-1")
    form = page.forms["reading"]
    form["column_0"], form["mode"] = "name", "add"
    form["column_1"] = "name"
    form.submit(status=422).mustcontain("Nothing was saved. Check the marked fields.")
    form["column_1"] = "age"
    form.submit(status=303)
    importing.ended()
    importing.save()
    assert [(user.name, user.age) for user in rows(User)] == [("José", 36)]


def test_columns_without_a_name_are_refused_beside_the_plan_that_was_shown(importing, rows):
    form = importing.upload(GOOD).forms["reading"]
    form["column_0"] = ""
    page = form.submit(status=422)
    page.mustcontain("No column has the name")
    # The plan is that of other columns.
    assert "record" not in page.forms
    page.forms["reading"]["column_0"] = "name"
    page.forms["reading"].submit(status=303)
    importing.ended()
    importing.save()
    assert names(rows) == ["Ada Lovelace", "Grace Hopper"]


def test_forged_options_are_refused(importing, app):
    form = importing.upload(GOOD).forms["reading"]
    fields = dict(form.submit_fields())
    for forged in ({"encoding": "rot13"}, {"delimiter": ",,"}, {"column_0": "password_hash"}, {"mode": "all"}):
        app.post(form.action, {**fields, **forged}, status=422)
    app.post(form.action, {**fields, "sheet": "../x", "kind": "xlsx", "quotechar": "a"}, status=303)
    importing.ended()
    assert (
        importing.job.options["format"] | {"sheet": "", "kind": "csv", "quotechar": '"'}
        == importing.job.options["format"]
    )


def test_long_titles_are_cut_and_formulas_in_them_defused(importing):
    titles = ["name", "=1+1", *(f"{number}{'x' * 4000}" for number in range(190))]
    page = importing.upload(f"  \n{','.join(titles)}\nAda,'t Hooft\n".encode(), mode="add")
    assert len(page.body) < 100_000
    assert page.click("Download them").text.removeprefix("\ufeff").startswith("name,'=1+1,0xxx")


def test_the_encoding_is_corrected(importing):
    importing.upload("name,email\n한글,a@example.com\n".encode("cp949"))
    form = importing.page.forms["reading"]
    assert form["encoding"].value == "cp949"
    form["encoding"] = "cp1252"
    form.submit(status=303)
    assert "한글" not in importing.ended()
    form = importing.page.forms["reading"]
    form["encoding"] = "utf-8-sig"
    form.submit(status=303)
    importing.ended().mustcontain("is not written in UTF-8")
    form = importing.page.forms["reading"]
    form["encoding"] = "cp949"
    form.submit(status=303)
    importing.ended().mustcontain("한글")


def test_the_sheet_is_chosen(importing, rows):
    workbook, file = openpyxl.Workbook(), io.BytesIO()
    workbook.active.sheet_state = "hidden"
    workbook.create_sheet("Notes").append(["Hello"])
    sheet = workbook.create_sheet("People")
    for row in (["name", "age"], ["Ada", 36]):
        sheet.append(row)
    workbook.save(file)
    form = importing.upload(file.getvalue(), "people.xlsx", mode="add").forms["reading"]
    assert form["sheet"].value == "Notes"
    form["sheet"] = "People"
    form.submit(status=303)
    importing.ended()
    importing.save()
    assert [(user.name, user.age) for user in rows(User)] == [("Ada", 36)]


def test_a_file_or_lines_are_needed_but_not_both(importing):
    importing.upload(status=422).mustcontain("Choose a file, or paste the lines below.")
    importing.upload(GOOD, text="name", status=422).mustcontain("but not both")
    assert files(importing) == []


def test_the_same_upload_again_is_the_same_import(app, importing):
    form = app.get("/users/import").forms["record"]
    form["text"] = "name\nAda"
    assert form.submit(status=303).location == form.submit(status=303).location
    form["text"] = "name\nGrace"
    form.submit(status=303)
    assert len(importing.spool.jobs()) == 2
    app.get("/users/import").mustcontain("Your imports of the last day", "Pasted lines")


def test_an_import_that_is_sent_twice_is_done_once(importing, rows):
    form = importing.upload(GOOD).forms["record"]
    plan, sign_in = importing.job.plan, importing.job.sign_in
    importing.save()
    form.submit(status=303).follow().mustcontain("The users were imported")
    # Of two forms that were checked at the same time, the second comes here after the first one's work has ended.
    importing.jobs.save(importing.job.key, plan, sign_in)
    importing.ended()
    assert importing.job.state == spool.SAVED
    assert (len(rows(User)), entries(rows)) == (2, 1)


def test_a_plan_is_refused_if_a_record_has_changed_since(importing, rows, make_user, outside):
    user = make_user("Ada Lovelace", email="ada@example.com")
    importing.upload(b"name,email\nAda King,ada@example.com\nGrace,grace@example.com\n")
    with outside.begin() as connection:
        connection.execute(sqlalchemy.update(User).where(User.id == user.id).values(age=36))
    page = importing.save()
    page.mustcontain("users have changed since the file was checked", "Line 2", "Ada King")
    assert [part.text for part in page.html.select("[role=alert] :is(del, ins)")] == ["–", "36"]
    assert names(rows) == ["Ada Lovelace"]
    [form] = [form for form in importing.page.forms.values() if "again" in form.fields]
    form.submit("again", status=303)
    importing.ended()
    importing.save()
    assert [(user.name, user.age) for user in rows(User)] == [("Ada King", 36), ("Grace", None)]


def test_a_plan_that_another_tab_has_made_again_is_shown_first(importing, rows):
    old = importing.upload(GOOD).forms["record"]
    importing.page.forms["reading"].submit(status=303)
    importing.ended()
    old.submit(status=409).mustcontain("The file was checked again since you opened this page")
    assert names(rows) == []


def test_others_do_not_find_an_import(importing, wsgi, outside):
    importing.upload(GOOD)
    other = browser_of(wsgi, outside, add_person(outside, role="admin"))
    for path in ("", "/refused.csv"):
        other.get(importing.path + path, status=404)
    for path in ("", "/check", "/cancel"):
        other.post(importing.path + path, {"csrf_token": other.get("/users").forms[0]["csrf_token"].value}, status=404)
    assert importing.path not in other.get("/users/import")
    assert importing.job.state == spool.CHECKED


def test_an_import_of_yesterday_is_removed(importing):
    yesterday = time.time() - spool.LIFETIME_SECONDS - 1
    importing.upload(GOOD)
    other = importing.spool.folder / "of the administrator"
    other.mkdir()
    os.utime(other, (yesterday, yesterday))
    old = importing.path
    os.utime(importing.spool.folder / importing.job.key, (yesterday, yesterday))
    importing.upload(text="name\nAda")
    importing.app.get(old, status=404).mustcontain("Imports are kept for a day")
    assert len(importing.spool.jobs()) == 1
    assert other.exists()


def test_the_password_is_asked_for_before_roles_change_and_the_change_is_a_security_event(wsgi, outside, rows):
    grace, ada = add_person(outside, "Grace", "admin"), add_person(outside, "Ada", email="ada@example.com")
    importing = Importing(browser_of(wsgi, outside, grace, confirmed_at=utcnow().replace(year=2020)))
    importing.upload(b"email,role\nada@example.com,editor\n", mode="update")
    page = importing.page.forms["record"].submit(status=422)
    page.mustcontain("Confirm your password", "Fill in this field.")
    page.forms["record"]["your_password"] = PASSWORD
    page.forms["record"].submit(status=303)
    importing.ended()
    assert [(user.name, user.role) for user in rows(User)] == [("Grace", "admin"), ("Ada", "editor")]
    [event] = [event for event in rows(SecurityEvent) if event.kind == "account changed"]
    assert (event.user_id, event.actor_id, event.request_id) == (ada.id, grace.id, importing.job.key)
    assert '"role_before": "member"' in event.facts


def test_who_is_no_administrator_any_more_imports_nothing(wsgi, outside, rows, monkeypatch):
    user = add_person(outside, "Grace", "admin")
    importing = Importing(browser_of(wsgi, outside, user))
    importing.upload(GOOD)
    with outside.begin() as connection:
        connection.execute(sqlalchemy.update(User).where(User.id == user.id).values(role="editor"))
    importing.save().mustcontain("Your account has changed since you checked the file.")
    assert names(rows) == ["Grace"]


@pytest.mark.parametrize("what", ["role", "sign-in"])
def test_who_is_demoted_or_signed_out_just_before_the_lock_imports_nothing(wsgi, outside, rows, monkeypatch, what):
    user = add_person(outside, "Grace", "admin")
    importing = Importing(browser_of(wsgi, outside, user))
    importing.upload(GOOD)

    def lock_users(dbsession):
        with outside.begin() as connection:
            if what == "role":
                connection.execute(sqlalchemy.update(User).where(User.id == user.id).values(role="editor"))
            else:
                connection.execute(sqlalchemy.delete(SignIn).where(SignIn.user_id == user.id))
        sets.lock_users(dbsession)

    monkeypatch.setattr(jobs, "lock_users", lock_users)
    importing.page.forms["record"].submit(status=303)
    finish_imports(wsgi)
    assert importing.job.state == spool.FAILED
    assert names(rows) == ["Grace"]


@pytest.mark.parametrize("step", ["reading", "applying"])
def test_progress_is_shown_and_cancelling_leaves_nothing(importing, app, held, step, outside):
    if step == "applying":
        importing.upload(GOOD)
    before = everything_stored(outside)
    held(step)
    if step == "applying":
        importing.page.forms["record"].submit(status=303)
    else:
        form = app.get("/users/import").forms["record"]
        form["upload"] = Upload("people.csv", GOOD)
        importing.page = form.submit(status=303).follow()
    wait_until(lambda: getattr(importing.spool.progress(importing.job.key), "step", None) == step)
    page = app.get(importing.path)
    assert page.html.find("progress")["max"] == ("2" if step == "applying" else "3")
    assert page.html.find("meta", {"http-equiv": "refresh"})["content"] == f"2; url={importing.path}"
    # While SQLite's write lock is held.
    [form] = [form for form in page.forms.values() if form.action.endswith("/cancel")]
    form.submit(status=303)
    importing.ended().mustcontain("The import was cancelled")
    assert everything_stored(outside) == before
    assert files(importing) == ["job.json", "working"]


def test_a_full_spool_is_said_and_nothing_is_left(importing, monkeypatch, outside):
    before = everything_stored(outside)
    monkeypatch.setattr(importing.spool, "max_bytes", 10)
    importing.upload(GOOD, status=422).mustcontain("There is no space left for imports on this server.")
    assert files(importing) == []
    monkeypatch.setattr(importing.spool, "max_bytes", 300)
    importing.upload(GOOD).mustcontain("There is no space left for imports on this server.")
    assert "rows.sqlite" not in files(importing)
    assert everything_stored(outside) == before


def test_a_disk_that_fills_while_users_are_imported_changes_nothing(importing, monkeypatch, outside):
    importing.upload(GOOD)
    before = everything_stored(outside)

    def full(claim, progress):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(spool.Claim, "report", full)
    importing.save().mustcontain("There is no space left for imports on this server. Nothing was imported.")
    assert everything_stored(outside) == before


def test_a_defect_is_logged_under_the_number_that_the_page_shows(importing, monkeypatch, log_lines):
    importing.upload(GOOD)
    monkeypatch.setattr(jobs, "apply", lambda *_: 1 / 0)
    page = importing.save()
    page.mustcontain(f"tell an administrator the number of this import: {importing.job.key}")
    assert f"request {importing.job.key}: an import has failed" in log_lines()


def test_a_long_text_is_to_be_sent_as_a_file(importing, rows):
    text = "name\n" + "x" * 1_000_000
    page = importing.upload(text=text, status=422)
    page.mustcontain("This is too long to be pasted. Save it as a file, then choose that.")
    assert len(page.text) < 50_000


def test_a_server_that_stops_cancels_its_imports(importing, held, monkeypatch, rows):
    importing.upload(GOOD)
    held("applying")
    importing.page.forms["record"].submit(status=303)
    wait_until(importing.is_being_saved)
    importing.jobs.stop()
    importing.jobs.stopping.clear()
    importing.ended().mustcontain("The server was stopped during the import. Nothing was imported.")
    assert names(rows) == []
    importing.page.forms["reading"].submit(status=303)
    importing.ended()


def test_the_sample_file_can_be_imported(importing, app, rows):
    importing.upload(app.get("/users/import").click("Download a sample file").body)
    importing.save()
    assert names(rows) == ["Ada Lovelace", "김철수"]


def test_many_refused_lines_are_shown_page_by_page(importing):
    importing.upload(b"name,age\n" + b"Ada,x\n" * 60, mode="add")
    lines = [title.text for title in importing.page.html.select("#refused th[scope=row]")]
    for label in ("Next", "Next"):
        importing.page = importing.page.click(label)
        lines += [title.text for title in importing.page.html.select("#refused th[scope=row]")]
    assert lines == [str(number) for number in range(2, 62)]
    assert "Next" not in importing.page.html.select_one("#refused").text
