"""An import as a person does it in the browser."""

import io
import secrets
import time

from webtest.forms import Upload

from myproject.users.imports.columns import guess_columns
from myproject.users.imports.reading import read_header, recognise
from myproject.users.imports.spool import CHECKING, Job
from myproject.users.imports.staging import Options
from tests.conftest import finish_imports


class Importing:
    """A browser that imports; every page waits until the work on the import has ended."""

    def __init__(self, app):
        self.app, self.page = app, None

    @property
    def jobs(self):
        return self.app.app.registry["imports"]

    @property
    def spool(self):
        return self.jobs.spool

    @property
    def job(self):
        """The import, as it is stored."""
        return self.spool.read(self.path.rpartition("/")[2])

    @property
    def path(self):
        return self.page.request.path

    def upload(self, content=b"", filename="people.csv", status=303, **fields):
        """Send a file, or pasted lines as `text`; return the page of its check, or that of the upload."""
        form = self.app.get("/users/import").forms["record"]
        for name, value in fields.items():
            form[name] = value
        if content:
            form["upload"] = Upload(filename, content)
        answer = form.submit(status=status)
        self.page = answer.follow() if status == 303 else answer
        return self.ended() if status == 303 else answer

    def ended(self):
        """Return the page of the import after the threads have ended."""
        finish_imports(self.app.app)
        self.page = self.app.get(self.path)
        return self.page

    def is_being_saved(self):
        """Return whether the users are being written, so that others wait."""
        progress = self.spool.progress(self.job.key)
        return progress is not None and progress.step == "applying"

    def numbers(self):
        """Return what the page says: new, changed, same and refused."""
        return [int(number.text.replace(",", "")) for number in self.page.html.select(".facts > dd")]

    def save(self, status=303):
        """Press the button that imports; return the page of the result."""
        answer = self.page.forms["record"].submit(status=status)
        return self.ended() if status == 303 else answer


def wait_until(condition, seconds=60):
    """Return as soon as `condition()` is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def checked_import(wsgi, person_id, role="admin", key=None):
    """Return the job of an import of a person, with a new user and a refused line, that can be saved."""
    jobs = wsgi.registry["imports"]
    job = Job(key or secrets.token_hex(16), person_id, role, 0, "people.csv", CHECKING, time.time())

    def recognised(claim):
        how = recognise(claim.upload)
        options = Options(how, guess_columns(read_header(claim.upload, how)), good_lines_only=True)
        return {"header": ["name", "email"], "options": options.as_json()}

    jobs.check(jobs.spool.create(job, io.BytesIO(b"name,email\nAda,\nBob,nobody\n"), recognised))
    finish_imports(wsgi)
    return jobs.spool.read(job.key)
