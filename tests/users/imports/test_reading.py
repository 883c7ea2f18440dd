"""Reading a file: what is recognised, what comes back, and what is refused as a whole."""

import csv
import datetime
import io
import os
import zipfile

import openpyxl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from myproject.users.fields import FIELDS
from myproject.users.imports import reading
from myproject.users.imports.columns import Unreadable, check_columns, guess_columns, rule_of
from myproject.users.imports.reading import DELIMITERS, ENCODINGS, Format, read_rows, recognise
from myproject.web.rules import Invalid

KOREAN = "이름,이메일\n김철수,kim@example.com\n이영희,lee@example.com\n"
WESTERN = "name;email\nJosé García;jose@example.com\nO’Neil;oneil@example.com\n"


@pytest.fixture
def saved(tmp_path):
    """Call `saved(b"…")`: the path of a file with this content."""

    def save(content):
        path = tmp_path / "upload"
        path.write_bytes(content)
        return path

    return save


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        (KOREAN, "utf-8", ("utf-8-sig", ",")),
        (KOREAN, "utf-8-sig", ("utf-8-sig", ",")),
        (KOREAN, "utf-16", ("utf-16", ",")),
        (KOREAN, "utf-16-le", ("utf-16-le", ",")),
        (KOREAN, "utf-16-be", ("utf-16-be", ",")),
        (KOREAN, "cp949", ("cp949", ",")),
        (WESTERN, "utf-8", ("utf-8-sig", ";")),
        (WESTERN, "cp1252", ("cp1252", ";")),
        (WESTERN.replace("’", "").replace(";", "|"), "latin-1", ("cp1252", "|")),
        ("e-mail\tFull name\nada@example.com\tLovelace, Ada\n", "utf-16", ("utf-16", "\t")),
        # No title is known: the delimiter is that of most lines.
        ("a;b;c\n1;2,5;3\n4;5,5;6\n", "utf-8", ("utf-8-sig", ";")),
        ("name\nAda\n", "ascii", ("utf-8-sig", ",")),
    ],
)
def test_encoding_and_delimiter_are_recognised(saved, text, encoding, expected):
    path = saved(text.encode(encoding))
    format = recognise(path)
    assert (format.encoding, format.delimiter) == expected
    rows = csv.reader(io.StringIO(text), delimiter=format.delimiter)
    assert [cells for _line, cells in read_rows(path, format)] == list(rows)


def test_a_few_korean_names_among_many_ascii_lines_are_recognised(saved):
    lines = [f"Ada {number},ada{number}@example.com\n" for number in range(5000)]
    assert recognise(
        saved(("name,email\n" + "".join(lines) + "김철수,kim@example.com\n").encode("cp949"))
    ).encoding == ("cp949")


def test_the_separator_line_of_excel_is_no_row(saved):
    path = saved("sep=;\r\nname;email\r\nAda;\r\n".encode("cp1252"))
    assert list(read_rows(path, recognise(path))) == [(2, ["name", "email"]), (3, ["Ada", ""])]


def test_a_row_has_the_number_of_its_first_line(saved):
    path = saved(b'name\n"Ada\nLovelace"\n\nGrace\n')
    assert list(read_rows(path, Format())) == [(1, ["name"]), (2, ["Ada\nLovelace"]), (4, []), (5, ["Grace"])]


@st.composite
def written(draw):
    """Draw a Format, options of Python's csv writer that agree with it, and rows."""
    delimiter = draw(st.sampled_from(list(DELIMITERS)))
    is_quoted = draw(st.booleans())
    is_doubled = is_quoted and draw(st.booleans())
    escape = None if is_doubled else "\\"
    format = Format(
        encoding=draw(st.sampled_from(["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])),
        delimiter=delimiter,
        quotechar=draw(st.sampled_from("\"'")) if is_quoted else "",
        doublequote=is_doubled,
        escapechar=escape,
    )
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    options = {
        "delimiter": delimiter,
        "quotechar": format.quotechar or None,
        "quoting": quoting if is_quoted else csv.QUOTE_NONE,
        "doublequote": is_doubled,
        "escapechar": escape,
        "lineterminator": draw(st.sampled_from(["\r\n", "\n", "\r"])),
    }
    cells = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(" ,;\t|'\"\\\r\n=\ufeff")))
    # Without quotes, a row of one empty cell cannot be written.
    rows = st.lists(cells, min_size=1 if is_quoted else 2, max_size=4)
    return format, options, draw(st.lists(rows, max_size=4))


@given(written())
def test_what_pythons_csv_module_writes_comes_back_equal(tmp_path_factory, example):
    format, options, rows = example
    path = tmp_path_factory.mktemp("written") / "upload"
    with path.open("w", encoding=format.encoding, newline="") as file:
        csv.writer(file, **options).writerows(rows)
    # Without quotes, Python writes some line ends that its own reader does not read.
    with path.open(encoding=format.encoding, newline="") as file:
        assume(list(csv.reader(file, **options)) == rows)
    assert [cells for _line, cells in read_rows(path, format)] == rows


def refusal(path, format=None):
    """Return the message with which the file is refused."""
    with pytest.raises(Unreadable) as refused:
        for _row in read_rows(path, format or recognise(path)):
            pass
    return refused.value.message.interpolate()


UNREADABLE = {
    "empty": (b"", "The file is empty."),
    "blank": (b"\xef\xbb\xbf \r\n\r\n", "The file is empty."),
    "PNG": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "neither a CSV file nor an Excel workbook"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old version of Excel"),
    "NUL bytes": (b"name,email\nA\0da,\n", "neither a CSV file nor an Excel workbook"),
    "damaged ZIP": (b"PK\x03\x04 and nothing more", "The workbook cannot be read."),
    "half a character at the end": ("name\n김철수\n이영희".encode()[:-1], "Line 3 is not written in UTF-8."),
    "mixed encodings": (
        "name\n김철수 이영희 박지성\n".encode() + "홍길동\n".encode("cp949"),
        "Line 3 is not written in UTF-8.",
    ),
    "a quote that never closes": (b'name\nAda\n"Grace\nLinus\n', "Line 3 has a quotation mark that is never"),
    "a quote that closes too late": (b'name\n"Grace\n' + b"Linus\n" * 50_000, "Line 2 has a quotation mark that"),
    "a quote within a cell": (b'name\n"Ada "the first" Lovelace"\n', "Line 2 has a quotation mark within a cell."),
    "many columns": (b",".join([b"a"] * 10_000), "Line 1 has 10000 columns; at most 200"),
    "a line of 3 MB": (b"name\nAda\n" + b"a" * 3_000_000, "Line 3 is longer than 1,000,000 characters."),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_cannot_be_read_says_why(saved, name):
    content, message = UNREADABLE[name]
    assert message in refusal(saved(content))


def test_a_wrong_encoding_is_refused_with_the_line(saved):
    path = saved("name\nAda\n김철수\n".encode("cp949"))
    assert refusal(path, Format(encoding="utf-8-sig")).startswith("Line 3 is not written in UTF-8.")
    # It has no byte order mark.
    assert refusal(path, Format(encoding="utf-16")).startswith("Line 1 is not written in UTF-16.")


def test_a_workbook_is_read_as_people_see_it(tmp_path):
    path = tmp_path / "upload"
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.append(["name", "email", "age", "active", None])
    sheet.append(["김철수", "kim@example.com", 30.0, True])
    sheet.append(["'=1+1", None, 30.5, False])
    sheet["A5"] = datetime.date(2026, 12, 1)
    workbook.create_sheet("second").append(["name"])
    workbook.save(path)
    format = recognise(path)
    assert (format.kind, format.sheet) == ("xlsx", "Sheet")
    assert list(read_rows(path, format)) == [
        (1, ["name", "email", "age", "active"]),
        (2, ["김철수", "kim@example.com", "30", "true"]),
        (3, ["'=1+1", "", "30.5", "false"]),
        (4, ["", "", "", ""]),
        (5, ["2026-12-01 00:00:00", "", "", ""]),
    ]
    assert list(read_rows(path, Format("xlsx", sheet="second"))) == [(1, ["name"])]


SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)
ENTITIES = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">{}]>'.format(
    "".join(f'<!ENTITY a{number} "{f"&a{number - 1 or str()};" * 10}">' for number in range(1, 10))
)


@pytest.mark.parametrize(
    ("sheet", "message"),
    [
        (SHEET.format(" " * 20_000_000), "too large when unpacked"),
        (SHEET.format("<row>" + "<c/>" * 500_000 + "</row>"), "too large when unpacked"),
        (ENTITIES + SHEET.format('<row r="1"><c t="str"><v>&a9;</v></c></row>'), "The workbook cannot be read."),
        (SHEET.format('<row r="99999999999"><c><v>1</v></c></row>'), "too large when unpacked"),
        (SHEET.format('<row r="1"><c r="XFD1"><v>1</v></c></row>'), None),
        ("<worksheet", "The workbook cannot be read."),
    ],
    ids=["packed", "a long row", "entities", "rows", "columns", "damaged"],
)
def test_a_bomb_in_a_workbook_is_refused(tmp_path, monkeypatch, sheet, message):
    monkeypatch.setattr(reading, "MAX_WORKBOOK_ROWS", 1000)
    monkeypatch.setattr(reading, "MAX_UNRELEASED_BYTES", 1_000_000)
    normal, path = io.BytesIO(), tmp_path / "upload"
    openpyxl.Workbook().save(normal)
    with zipfile.ZipFile(normal) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb:
        for name in source.namelist():
            bomb.writestr(name, sheet if name == "xl/worksheets/sheet1.xml" else source.read(name))
        if "<c/>" in sheet:
            # Packed no better than a usual one.
            bomb.writestr("xl/media/noise", os.urandom(len(sheet) // 50))
    if message:
        assert message in refusal(path)
    else:
        assert list(read_rows(path, recognise(path))) == [(1, [])]


def test_a_zip_file_is_no_workbook(tmp_path):
    path = tmp_path / "upload"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("name.csv", "name\nAda\n")
    assert "neither a CSV file nor an Excel workbook" in refusal(path)


def test_titles_are_known_in_both_languages_and_any_order():
    titles = ["E-Mail", " 이름 ", "역할", "Note", "'=age", "\ufeffActive", "이메일 주소", "AGE"]
    expected = ("email", "name", "role", None, None, "active", "email", "age")
    assert guess_columns(titles) == expected


@pytest.mark.parametrize(
    ("columns", "mode", "message"),
    [
        (("name", "email", "name"), "both", "Two columns"),
        (("email", None), "add", "No column has the name."),
        (("name", None), "both", "No column has the email"),
        ((None, None), "update", "No column has the email"),
    ],
)
def test_columns_that_cannot_be_imported_are_refused(columns, mode, message):
    with pytest.raises(Unreadable, match=message):
        check_columns(columns, mode)
    check_columns(("email",), "update")
    check_columns(("name",), "add")


def test_a_value_that_is_refused_again_and_again_takes_no_memory():
    age = next(field for field in FIELDS if field.name == "age")
    parse, errors = rule_of(age), []
    for _ in range(2):
        with pytest.raises(Invalid) as refused:
            parse("abc")
        errors.append(refused.value)
    # An error that is raised again gets longer by a traceback.
    assert errors[0] is not errors[1]


def test_every_encoding_is_one_of_python():
    assert all("Ada".encode(encoding) for encoding in ENCODINGS)
