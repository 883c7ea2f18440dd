"""The plan of an import: what would become of each line, and why a line is refused."""

import csv
import io

import openpyxl
import sqlalchemy

from myproject.models import User
from myproject.users.imports.planning import Importer
from tests.people import add_person

from .conftest import Steps

EDITOR = Importer(-7, "editor")


def refused(plan):
    """Return the line, the field, the value and the message of each refusal."""
    return [(line, field, value, message.interpolate()) for _, line, field, value, message in plan.refusals(100)]


def values_of(plan, kind):
    """Return the values of the lines of a kind, without their titles."""
    names = "name", "email", "age", "role", "active"
    return [(sample.line, *(sample.values[name] for name in names)) for sample in plan.samples(kind, 100)]


def test_new_changed_same_and_refused_are_counted_and_shown(plan_of, make_user, rows):
    make_user("Ada", email="ada@example.com", age=36)
    make_user("Grace", email="Grace@example.com", age=45, role="editor", active=False)
    before = rows(User)
    plan = plan_of(
        "나이,이메일,이름,note\n"
        "37, ADA@example.com ,Ada Lovelace,x\n"
        "45,grace@example.com,Grace,x\n"
        ",,김철수,x\n"
        "abc,nobody,,x\n"
        "\n"
        "1,2\n"
        ",,,\n"
    )
    assert plan.numbers == {"new": 1, "changed": 1, "same": 1, "refused": 2, "total": 5}
    assert values_of(plan, "new") == [(4, "김철수", None, None, "member", True)]
    [changed] = plan.samples("changed", 10)
    assert (changed.line, changed.changes) == (2, [("name", "Ada", "Ada Lovelace"), ("age", 36, 37)])
    assert refused(plan) == [
        (5, "age", "abc", "Enter a whole number from 0 to 150."),
        (5, "email", "nobody", "Enter an email address like name@example.com."),
        (5, "name", "", "Fill in this field."),
        (7, None, "1,2", "This line has 2 columns, the header 4."),
    ]
    assert [refusal.line for refusal in plan.refusals(1, after=3)] == [7]
    assert not plan.can_be_applied
    assert not plan.changes_accounts
    assert [user.version for user in rows(User)] == [user.version for user in before]


def test_a_workbook_with_empty_cells_at_the_end_is_planned(plan_of):
    workbook, file = openpyxl.Workbook(), io.BytesIO()
    for cells in ["이름", "이메일", "나이"], ["김철수", "kim@example.com"], ["Ada", None, 36.0], []:
        workbook.active.append(cells)
    workbook.save(file)
    plan = plan_of(file.getvalue())
    expected = [(2, "김철수", "kim@example.com", None, "member", True), (3, "Ada", None, 36, "member", True)]
    assert (values_of(plan, "new"), refused(plan)) == (expected, [])


def test_the_mode_decides_who_is_added_and_changed(plan_of, make_user):
    make_user("Ada", email="ada@example.com")
    file = "name,email\nAda Lovelace,ada@example.com\nGrace,grace@example.com\nLinus,\n"
    both, add, update = (plan_of(file, mode=mode) for mode in ("both", "add", "update"))
    assert both.numbers == {"new": 2, "changed": 1, "same": 0, "refused": 0, "total": 3}
    assert add.numbers == {"new": 2, "changed": 0, "same": 0, "refused": 1, "total": 3}
    assert refused(add) == [
        (2, "email", "ada@example.com", "Another user already has this address. Enter a different one.")
    ]
    assert update.numbers == {"new": 0, "changed": 1, "same": 0, "refused": 2, "total": 3}
    assert refused(update) == [
        (3, "email", "grace@example.com", "No user has this email."),
        (4, "email", "", "An update finds a user by the email. Fill it in."),
    ]


def test_only_the_columns_of_the_file_change(plan_of, make_user):
    ada = {"email": "Ada@example.com", "age": 36, "role": "editor", "active": False}
    make_user("Ada", **ada)
    assert plan_of("email\nada@example.com\n", mode="update").numbers["same"] == 1
    # An empty age is a value, an empty role or activity is none.
    plan = plan_of("email,age,role,active\nada@example.com,,,\n", mode="update")
    assert values_of(plan, "changed") == [(2, "Ada", "Ada@example.com", None, "editor", False)]


def test_an_email_twice_in_the_file_is_refused_in_any_case(plan_of):
    plan = plan_of(
        "name,email\nAda,ada@example.com\nB,ADA@example.com\nC,\nD,\nE, ada@Example.com \nF,f@example.com\nG,\n",
        good_lines_only=True,
    )
    assert (plan.numbers["new"], plan.can_be_applied) == (5, True)
    message = "Line 2 has the same email."
    assert refused(plan) == [(3, "email", "ADA@example.com", message), (6, "email", "ada@Example.com", message)]


def test_editors_set_no_role_and_change_no_administrator(plan_of, make_user):
    make_user("Ada", email="ada@example.com", role="editor")
    make_user("Grace", email="grace@example.com", role="admin")
    plan = plan_of(
        "name,email,role\n"
        "Ada Lovelace,ada@example.com,editor\n"
        "Ada,ada2@example.com,관리자\n"
        "B,b@example.com,Member\n"
        "C,c@example.com,\n"
        "Grace Hopper,grace@example.com,admin\n",
        EDITOR,
    )
    assert (plan.numbers["new"], plan.numbers["changed"], plan.role) == (2, 1, "editor")
    assert refused(plan) == [
        (3, "role", "admin", "Only administrators can set another role."),
        (6, None, "grace@example.com", "Only administrators can change the record of an administrator."),
    ]
    plan = plan_of("name,email,role\nAda,ada@example.com,member\n", EDITOR)
    assert [reason[1] for reason in refused(plan)] == ["role"]


def test_administrators_keep_their_own_role_and_the_last_one_stays(plan_of, outside):
    ada = add_person(outside, "Ada", role="admin", email="ada@example.com")
    file = "name,email,role,active\nAda,ada@example.com,member,yes\n"
    assert plan_of(file).numbers["changed"] == 1
    assert plan_of(file).changes_accounts
    [own] = refused(plan_of(file, Importer(ada.id, "admin")))
    assert own[3] == "This is your own account. Change its role and activity on its own page."
    # The administrator of the tests can sign in, too.
    with outside.connect() as connection:
        email = connection.scalar(sqlalchemy.select(User.email).where(User.id < 1))
    last = refused(plan_of(f"{file}Ada,{email},,no\n"))
    message = "This is the last administrator who can sign in. Make somebody else an administrator first."
    assert last == [(3, None, "", message)]


def test_refused_lines_can_be_corrected_and_sent_again(plan_of):
    plan = plan_of('name;email;age\nAda;ada@example.com;\n"=1;2";x;7\nGrace;;;b\n')
    first = io.StringIO()
    plan.write_refused(first, lambda message: message.interpolate())
    reason = "Enter an email address like name@example.com."
    assert list(csv.reader(io.StringIO(first.getvalue()))) == [
        ["name", "email", "age", "line", "reason"],
        ["'=1;2", "x", "7", "3", reason],
        ["Grace", "", "", "4", "This line has 4 columns, the header 3.", "b"],
    ]
    again = io.StringIO()
    plan_of(first.getvalue()).write_refused(again, lambda message: message.interpolate())
    expected = [["'=1;2", "x", "7", "2", reason], ["Grace", "", "", "3", "This line has 6 columns, the header 5.", "b"]]
    assert list(csv.reader(io.StringIO(again.getvalue())))[1:] == expected
    corrected = plan_of(first.getvalue().replace(",x,", ",x@example.com,"))
    assert values_of(corrected, "new") == [(2, "=1;2", "x@example.com", 7, "member", True)]


def test_checking_makes_no_writer_wait(plan_of, outside, make_user):
    user = make_user("Ada", email="ada@example.com")
    steps = set()

    def edit(step):
        steps.add(step)
        with outside.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA busy_timeout = 0")
            else:
                connection.exec_driver_sql("SET LOCAL lock_timeout = '10ms'")
            connection.execute(sqlalchemy.update(User).where(User.id == user.id).values(name=f"Ada, {step}"))

    plan_of("name,email\nAda,ada@example.com\n", progress=Steps(edit))
    assert steps == {"reading", "comparing"}
