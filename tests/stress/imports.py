"""Imports in the storm: who sends files, and whether the database has all lines of each or none."""

import collections
import csv
import dataclasses
import io
import re
import time

from myproject.users.imports.jobs import ROUTE

from .ledger import ACKNOWLEDGED, REFUSED, UNSETTLED, new_token, values_of

MOST_LINES = 100
TITLES = ("name", "email", "age")


@dataclasses.dataclass
class Import:
    """A file with new users, sent once or several times."""

    tokens: list
    answer: str = UNSETTLED

    @property
    def lines(self):
        """The values of each user."""
        return [values_of(token) for token in self.tokens]

    @property
    def file(self):
        """The content of the file."""
        text = io.StringIO()
        writer = csv.DictWriter(text, TITLES)
        writer.writeheader()
        writer.writerows(self.lines)
        return text.getvalue()


def import_users(browser, ledger, rng):
    """Upload a file, save its plan, and look at the page until it tells whether it was done."""
    form = browser.form("/users/import")
    new = Import([new_token() for _ in range(rng.randint(1, MOST_LINES))])
    ledger.imports.append(new)
    # The file among the other fields, as a browser sends it.
    form.update(upload=("people.csv", new.file), text="", mode="add", lines="all")
    path = browser.until_redirect("/users/import", form)
    while new.answer == UNSETTLED:
        status, text = browser.get(path)
        heading = re.search("<h1>(.*?)</h1>", text)[1]
        if heading == "The users were imported":
            new.answer = ACKNOWLEDGED
        elif status == 404 or heading == "The file was not imported":
            new.answer = REFUSED
        elif heading == "Check before you import":
            browser.until_redirect(path, browser.fields_of(text))
        else:
            time.sleep(0.05)


def contradicting_imports(imports, rows, changes, actor_id=0):
    """Return a sentence for each contradiction between `imports`, the rows of their users, and the changes of these."""
    rows_of, changes_of = collections.defaultdict(list), collections.defaultdict(list)
    for row in rows:
        rows_of[row.name].append((row.name, row.email or "", str(row.age), row.version))
    for change in changes:
        changes_of[name_of(change)].append((change.before, change.request_id, change.actor_id, change.route))
    for each in imports:
        expected = sorted((*line.values(), 1) for line in each.lines)
        stored = sorted(row for line in each.lines for row in rows_of[line["name"]])
        recorded = [change for line in each.lines for change in changes_of[line["name"]]]
        if stored not in ([], expected):
            yield f"imported in part, or changed: {len(stored)} of {each}"
        elif each.answer in (ACKNOWLEDGED, REFUSED) and bool(stored) != (each.answer == ACKNOWLEDGED):
            yield f"{each.answer}, but {'there' if stored else 'not there'}: {each}"
        if len(recorded) != len(stored) or len(set(map(str, recorded))) > 1:
            yield f"not in one entry of the history: {each}"
        elif recorded and (recorded[0][0], *recorded[0][2:]) != (None, actor_id, ROUTE):
            yield f"in the history as something else: {recorded[0]}"


def names_of(imports):
    """Return the names of all users in the files."""
    return {line["name"] for each in imports for line in each.lines}


def name_of(change):
    """Return the name of the user whom a change adds, changes or deletes."""
    return (change.after or change.before)["name"]
