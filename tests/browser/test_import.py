"""A file with two bad lines is imported: they are corrected, the users imported, and all of it undone."""

import pytest
from playwright.sync_api import expect

from myproject.models import User

from .test_history import is_accessible, names, take_pictures

FILE = "이름,Email,Age\nAda King,ADA@example.com,36\nGrace Hopper,grace@example.com,151\nLinus,linus,\n서연,,29\n"
CORRECTED = FILE.replace("151", "85").replace("linus,", "linus@example.com,")
WORDS = {
    "en-US": {
        "import": "Import", "file": "File", "paste": "Or paste the lines", "check": "Check the file",
        "refused": "Because of the refused lines", "save": "Import 4 users", "saved": "The users were imported",
        "undo": "Undo", "undone": "Undone. 4 records were put back.", "again": "Import users",
    },
    "ko-KR": {
        "import": "가져오기", "file": "파일", "paste": "또는 내용 붙여넣기", "check": "파일 검사",
        "refused": "거부된 줄이 있어", "save": "사용자 4명 가져오기", "saved": "사용자를 가져왔습니다",
        "undo": "되돌리기", "undone": "4개 항목을 되돌렸습니다.", "again": "사용자 가져오기",
    },
}  # fmt: skip


@pytest.mark.parametrize("locale", WORDS)
def test_a_file_is_corrected_imported_and_undone(browse, make_user, rows, complaints, locale):
    make_user("Ada Lovelace", email="ada@example.com", age=35)
    page, words = browse(locale=locale), WORDS[locale]
    page.goto("/users")
    page.get_by_role("link", name=words["import"], exact=True).click()
    look(page, f"import-{locale}")
    upload = {"name": "people.csv", "mimeType": "text/csv", "buffer": FILE.encode()}
    page.get_by_label(words["file"], exact=True).set_input_files(upload)
    page.get_by_role("button", name=words["check"]).click()
    expect(page.get_by_text(words["refused"])).to_be_visible()
    look(page, f"import-refused-{locale}")
    page.get_by_role("link", name=words["again"], exact=True).click()
    page.get_by_label(words["paste"]).fill(CORRECTED)
    page.get_by_role("button", name=words["check"]).click()
    expect(page.get_by_role("button", name=words["save"])).to_be_visible()
    look(page, f"import-checked-{locale}")
    page.get_by_role("button", name=words["save"]).click()
    expect(page.get_by_role("heading", name=words["saved"])).to_be_visible()
    look(page, f"import-saved-{locale}")
    assert names(rows) == ["Ada King", "Grace Hopper", "Linus", "서연"]
    page.get_by_role("link", name=words["undo"], exact=True).click()
    page.get_by_role("button", name=words["undo"], exact=True).click()
    expect(page.get_by_role("status")).to_have_text(words["undone"])
    assert [(user.name, user.age) for user in rows(User)] == [("Ada Lovelace", 35)]
    assert complaints == []


def look(page, name):
    take_pictures(page, name)
    assert is_accessible(page)
