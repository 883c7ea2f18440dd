"""The package as users install it: the wheel in a new environment, and the ini files under `pserve`."""

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from pyramid.paster import get_app, get_appsettings
from webtest import TestApp

from .browser import ROOT, SCRIPTS, SECRET, served

INIS = ["development.ini", "production.ini"]
PACKAGE = ROOT / "myproject"
# What uv prints if it reaches no registry.
UNREACHABLE = re.compile(r"error sending request|dns error|connect|network|offline|timed out", re.IGNORECASE)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The path of a wheel built from the files in Git, as in a fresh clone."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in source_files():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, source / path)
    # Without isolation: with the installed setuptools, not the newest one of a registry.
    run_uv("build", "--wheel", "--quiet", "--no-build-isolation", "--python", sys.executable, "-o", built, source)
    [path] = built.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """The folder of a new environment with the wheel and requirements/production.txt, and nothing else."""
    environment = tmp_path_factory.mktemp("environment") / "venv"
    run_uv("venv", "--quiet", "--python", sys.executable, environment)
    python = ["--quiet", "--python", environment]
    pinned = [*python, "--require-hashes", "-r", ROOT / "requirements" / "production.txt"]
    try:
        run_uv("pip", "install", "--offline", *pinned)
    except AssertionError:
        install_from_registry(pinned)
    run_uv("pip", "install", "--offline", "--no-deps", *python, wheel)
    return environment


@pytest.fixture
def folder(tmp_path):
    """A folder with the two ini files and nothing else."""
    for ini in INIS:
        shutil.copy(ROOT / ini, tmp_path)
    return tmp_path


def test_the_installed_wheel_serves_pages_styles_and_translations(installed, folder):
    url, scripts = f"sqlite:///{folder}/users.sqlite", installed / "bin"
    made = run(scripts / "initialize_db", "production.ini", cwd=folder, DATABASE_URL=url)
    assert (made.stderr, made.stdout, made.returncode) == ("", "The database was created.\n", 0)
    # PYTHONPATH would add the modules of this checkout.
    environ = {"MYPROJECT_SECRET": SECRET, "PYTHONPATH": ""}
    with served("production.ini", url, folder / "printed", scripts=scripts, cwd=folder, **environ) as server:
        page = fetch(f"{server.url}/users", **{"Accept-Language": "ko"})
        assert '<html lang="ko">' in page
        assert re.search("<h1>[가-힣 ]+</h1>", page)
        styles = re.findall(r'<link rel="stylesheet" href="([^"]+)">', page)
        assert len(styles) == 2
        assert all("{" in fetch(server.url + style) for style in styles)
        [icon] = re.findall(r'<link rel="icon" href="([^"]+)"', page)
        assert "<svg" in fetch(server.url + icon)
    # The page was /setup, which logs its token.
    lines = server.printed.read_text().splitlines()
    started, serving, token, stopped = [line for line in lines if "[myproject.access]" not in line]
    assert len(lines) > 4
    assert re.fullmatch(r"Starting server in PID \d+\.", started)
    assert f" INFO [myproject.server] serving on {server.url.replace('localhost', '127.0.0.1')}" in serving
    assert stopped.endswith(" INFO [myproject.server] stopped")
    assert re.search(r" WARNING \[myproject\.signin\..*\] .*: open /setup and enter this token: [0-9a-f]{32}$", token)


def test_the_pinned_requirements_are_compatible(installed):
    run_uv("pip", "check", "--python", installed)


def test_the_wheel_contains_exactly_the_files_of_the_package(wheel):
    with zipfile.ZipFile(wheel) as archive:
        contained = {Path(name) for name in archive.namelist()}
    package = {path for path in contained if path.parts[0] == "myproject"}
    assert package == {path for path in source_files() if path.parts[0] == "myproject"}
    assert {path.parent.suffix for path in contained - package} == {".dist-info"}


def test_the_package_requires_every_distribution_that_it_imports(wheel):
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
    # Including those of the extra `postgresql`, which only the code for PostgreSQL imports. Only the inspector imports
    # those of `development` and `testing`, and nobody imports the inspector.
    required = re.findall(
        "^Requires-Dist: ([A-Za-z0-9_.-]+)(?!.*extra == .(?:development|testing))", metadata, re.MULTILINE
    )
    imported = {normal(distribution_of(module)) for module in modules_imported()}
    assert imported - {normal(name) for name in required} == set()


@pytest.mark.parametrize("ini", INIS)
def test_the_ini_file_starts_the_application(ini, monkeypatch, database_url):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("MYPROJECT_SECRET", SECRET)
    if ini == "development.ini":
        monkeypatch.delenv("MYPROJECT_SECRET")
    application = get_app(str(ROOT / ini))
    TestApp(application, extra_environ={"REMOTE_ADDR": "127.0.0.1"}).get("/users").follow().mustcontain("myproject")
    application.registry["dbsession_factory"].kw["bind"].dispose()


@pytest.mark.parametrize("ini", INIS)
def test_log_times_have_a_utc_offset(ini):
    settings = configparser.RawConfigParser()
    settings.read(ROOT / ini)
    assert settings["formatter_generic"]["datefmt"] == "%Y-%m-%dT%H:%M:%S%z"


def test_the_development_database_is_beside_its_ini_file(folder):
    settings = get_appsettings(str(folder / "development.ini"))
    assert settings["sqlalchemy.url"] == f"sqlite:///{folder}/development.sqlite"


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({"DATABASE_URL": "sqlite://"}, "MYPROJECT_SECRET"),
        ({"MYPROJECT_SECRET": SECRET}, "DATABASE_URL"),
    ],
    ids=["no_secret", "no_database"],
)
def test_production_without_a_setting_names_it_and_exits(environ, missing):
    refused = run(SCRIPTS / "pserve", "production.ini", "port=0", cwd=ROOT, PYTHONPATH=str(ROOT), **environ)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert re.fullmatch(rf"myproject does not start: .*\b{missing}\b.*\.\n", refused.stderr)


def test_development_prints_only_its_address_at_the_start(database_url, tmp_path):
    with served("development.ini", database_url, tmp_path / "printed", cwd=ROOT) as server:
        assert "<h1>Sign in</h1>" in fetch(f"{server.url}/users")
    printed = server.printed.read_text()
    assert re.search(rf"http://(localhost|127\.0\.0\.1):{server.url.rpartition(':')[2]}\b", printed)
    # A busy machine may take longer than requests.slow_seconds for the page.
    others = [line for line in printed.splitlines() if "[myproject.web.access]" not in line]
    assert [line for line in others if "warn" in line.lower()] == []


def source_files():
    """Return the paths, from the root, of the files in Git in the root folder and in the package."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    assert listed.returncode == 0, listed.stderr
    paths = [Path(path) for path in listed.stdout.split("\0") if path and (ROOT / path).is_file()]
    return [path for path in paths if path.parts[0] == "myproject" or len(path.parts) == 1]


def modules_imported():
    """Return the names of all modules that the package imports, but for the inspector, its own and those of Python."""
    names = set()
    for path in PACKAGE.rglob("*.py"):
        if path.is_relative_to(PACKAGE / "inspector"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module)
    return {name for name in names if name.partition(".")[0] not in {*sys.stdlib_module_names, "myproject"}}


def distribution_of(module):
    """Return the name of the distribution that contains `module`; below `zope` each package has its own."""
    first, *rest = module.split(".")
    found = set(packages_distributions()[first])
    return found.pop() if len(found) == 1 else f"{first}.{rest[0]}"


def normal(name):
    """Return the name of a distribution, normalized by PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def install_from_registry(arguments):
    """Install with network access; skip the test if there is none, except in CI."""
    try:
        run_uv("pip", "install", *arguments)
    except AssertionError as error:
        if os.environ.get("CI") == "true" or not UNREACHABLE.search(str(error)):
            raise
        pytest.skip("uv has the requirements neither in its cache nor from a registry")


def run_uv(*arguments):
    """Run uv. Raise `AssertionError` with its output if it fails."""
    done = run(sys.executable, "-m", "uv", "--no-progress", *arguments)
    assert done.returncode == 0, done.stderr
    return done


def run(*command, cwd=None, **environ):
    """Run `command` with `environ` added to the environment; return the completed process with its output."""
    # The new environment must not see the one that runs this test.
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(command, cwd=cwd, env={**inherited, **environ}, capture_output=True, text=True, timeout=120)


def fetch(url, **headers):
    """Return the body of the page at `url`."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as response:
        return response.read().decode()
