"""The guide of CONTRIBUTING.md to a new field, followed literally in a copy of the repository."""

from .guide import copy_repository, follow, read_steps, run

GUIDE = "Add a field to User"
# The new tests on both databases, and those that compare the migration with the models.
TESTS = "tests/users/test_views.py tests/test_bad_input.py tests/test_migrations.py"
NAMES = (
    "telephone or equals_the_models"
    " or (sqlite and (message_beside_the_field and new or downgrade or nothing_to_generate))"
)
MOST_FILES = 5  # beside tests, documents and catalogues
NOT_COUNTED = ("tests/", "CHANGES.md", "myproject/locale/")


def test_the_guide_adds_a_field(tmp_path):
    folder = copy_repository(tmp_path / "copy")
    run("git init --quiet && git add --all", folder)
    steps = read_steps(GUIDE)
    assert [step.text for step in steps if step.text.startswith("**")]
    for step in steps:
        if step.block == "make messages\n":
            # It fails as long as a translation is missing, and says so.
            run("make messages", folder, expected=(0, 2))
        elif "make check" not in step.block:
            follow(step, folder)
    run("make format", folder)
    run(f"make check ARGS=\"-q -n0 {TESTS} -k '{NAMES}'\"", folder)
    assert not (folder / ".venv").exists()
    changed = run("git add --all --intent-to-add && git diff --name-only", folder).split()
    assert "myproject/users/models.py" in changed
    assert len([path for path in changed if not path.startswith(NOT_COUNTED)]) <= MOST_FILES
