"""django_import.py URL FILE: import a CSV file of users by django-import-export, and print the seconds of two ways.

The first is that of its admin pages as installed: a dry run with the differences of each row, then the import. The
second is its quickest: an import by bulk statements, without a dry run and without differences.

It runs in an environment of its own, which `imports.py` makes. The table has the same columns, but none of our indexes
and triggers, except the unique email.
"""

import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.db import connection, models


def database(url: str) -> dict[str, object]:
    """Return the entry of Django's DATABASES for a URL of SQLAlchemy."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": parts.path[1:]}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path[1:],
        "HOST": parts.hostname,
        "PORT": parts.port,
        "USER": parts.username,
    }


def main(url: str, path: str) -> None:
    """Create the table, import the file in one transaction, and print the seconds."""
    settings.configure(DATABASES={"default": database(url)}, INSTALLED_APPS=["import_export"], USE_TZ=True)
    django.setup()
    from import_export.resources import ModelResource
    from tablib import Dataset

    class Person(models.Model):
        name = models.CharField(max_length=200)
        email = models.EmailField(max_length=320, unique=True, null=True)
        age = models.IntegerField(null=True)
        role = models.CharField(max_length=20)
        active = models.BooleanField()

        class Meta:
            # Of an app that is installed.
            app_label = "import_export"

    class Options:
        model = Person
        import_id_fields = ["email"]
        fields = ["name", "email", "age", "role", "active"]
        use_transactions = True

    class PersonResource(ModelResource):
        class Meta(Options):
            pass

    class BulkResource(ModelResource):
        class Meta(Options):
            use_bulk = True
            batch_size = 1000
            skip_diff = True

    with connection.schema_editor() as editor:
        editor.create_model(Person)
    for resource, dry_runs in (PersonResource(), [True, False]), (BulkResource(), [False]):
        Person.objects.all().delete()
        started = time.perf_counter()
        dataset = Dataset().load(Path(path).read_text(encoding="utf-8"), format="csv")
        for dry_run in dry_runs:
            resource.import_data(dataset, dry_run=dry_run, raise_errors=True)
        print(time.perf_counter() - started)
        assert Person.objects.count() == len(dataset)


if __name__ == "__main__":
    main(*sys.argv[1:])
