"""The package: its dependencies and extras, its files, and its commands."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="myproject",
    version="0.1.0",
    description="Keeps an organisation's User records and lets people manage them in a browser.",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.11",
    packages=find_packages(include=["myproject", "myproject.*"]),
    include_package_data=True,
    zip_safe=False,
    install_requires=[
        "alembic",
        "argon2-cffi",
        "Babel",
        "charset-normalizer",
        "Jinja2",
        "MarkupSafe",
        "openpyxl",
        "plaster_pastedeploy",
        # The format of /metrics.
        "prometheus_client",
        "pyramid >= 2.1",
        "pyramid_jinja2",
        "pyramid_retry",
        "pyramid_tm >= 2.6",
        # Pyramid imports pkg_resources, which warns at every start since setuptools 80.9.
        "setuptools < 80.9",
        "SQLAlchemy >= 2.1",
        # The progress bars of the commands.
        "tqdm",
        "transaction",
        # Time zones, for systems that have none.
        "tzdata",
        "waitress",
        "WebOb",
        "WTForms",
        "zope.interface",
        "zope.sqlalchemy >= 4.1",
        "zxcvbn",
    ],
    extras_require={
        "postgresql": ["psycopg[binary]"],
        "development": ["pyramid_debugtoolbar"],
        "testing": [
            "axe-playwright-python",
            "bandit",
            "hypothesis",
            "mypy",
            "playwright",
            "pytest",
            "pytest-xdist",
            "radon",
            "ruff",
            "uv",
            "vulture",
            "WebTest",
        ],
    },
    entry_points={
        "paste.app_factory": ["main = myproject:main"],
        "paste.server_factory": ["main = myproject.server:make_server"],
        "console_scripts": [
            "backup_db = myproject.scripts.backup_db:main",
            "check = myproject.scripts.check:main",
            "create_admin = myproject.scripts.create_admin:main",
            "export_users = myproject.scripts.export_users:main",
            "import_users = myproject.scripts.import_users:main",
            "initialize_db = myproject.scripts.initialize_db:main",
            "prune_history = myproject.scripts.prune_history:main",
            "restore_db = myproject.scripts.restore_db:main",
        ],
    },
)
