"""The tests. Each runs on SQLite and on PostgreSQL, but for those that these marks keep to one of the two."""

import pytest

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
postgresql_only = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
