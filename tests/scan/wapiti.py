"""Runs wapiti, from its own virtual environment: it crawls the site, and attacks the pages and forms found."""

import contextlib
import json
import os
import pickle
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

WAPITI = Path(sys.prefix, "scan", "bin", "wapiti")
# The modules that request only this site; the others download databases. Those that store something are in the first
# run, because later attacks overwrite it and push it off the first page of a list.
MODULES = [
    ["xss", "permanentxss"],
    ["sql", "exec", "file", "redirect", "crlf", "upload", "csrf", "csp", "http_headers", "cookieflags"],
]
REPORT = "report.json"
# Pages that would end the session or delete pages that are still to be crawled: a crawler sends each form, also the one
# that deletes all users at once.
EXCLUDED = ["/signout", "/*/delete", "/*/erase", "/users/bulk/*/apply*", "/static/*"]
# Pages that are not linked while the lists are short.
STARTS = ["/users?cursor=x", "/posts?cursor=x"]
# Deep enough for the form that changes a post. Each form has its own token, so a crawl without a limit never ends.
DEPTH, CRAWL_SECONDS = 5, 60
# The fields that make a form work only once, and values for the fields that wapiti fills in with invalid ones.
FIELDS_FOR_ONE_USE = ["form_token", "version"]
VALID_VALUES = {"age": "30", "email": ""}


def crawl(url, cookie, folder):
    """Follow the links and send the forms below `url`; return wapiti's database of requests."""
    starts = [option for path in STARTS for option in ("--start", url + path)]
    options = ["--flush-session", "--module", "", "--depth", DEPTH, "--max-scan-time", CRAWL_SECONDS, *starts]
    run(url, cookie, folder, *options, timeout=2 * CRAWL_SECONDS)
    [history] = folder.glob("*.db")
    return history


def prepare_forms(history):
    """Make each form work every time it is sent, and delete similar ones; return the numbers of pages and forms.

    An attack is a form of the crawl with one field changed. Unprepared, only the first attack on a form would reach it;
    all others would get "This was saved already".
    """
    with contextlib.closing(sqlite3.connect(history)) as database, database:
        database.create_function("shape", 1, lambda url: re.sub(r"/\d+", "/ID", url))
        database.executemany("DELETE FROM params WHERE name = ?", [(name,) for name in FIELDS_FOR_ONE_USE])
        database.executemany(
            "UPDATE params SET value1 = ? WHERE name = ? AND type = 'POST'",
            [(value, name) for name, value in VALID_VALUES.items()],
        )
        # These headers have the length of the original form.
        database.execute("UPDATE paths SET headers = ? WHERE headers IS NOT NULL", [pickle.dumps({})])
        database.execute("""
            DELETE FROM paths WHERE path_id NOT IN (
                SELECT min(path_id) FROM paths LEFT JOIN (
                    SELECT path_id, group_concat(type || name) AS fields
                    FROM (SELECT * FROM params ORDER BY type, name) GROUP BY path_id
                ) USING (path_id) GROUP BY method, CASE method WHEN 'POST' THEN shape(path) ELSE path END, fields
            )""")
        counts = dict(database.execute("SELECT method, count(*) FROM paths GROUP BY method"))
    return counts.get("GET", 0), counts.get("POST", 0)


def attack(url, cookie, folder, seconds):
    """Attack what the crawl found; return the findings, as wapiti's report has them, each with its `category`."""
    for modules in MODULES:
        # A changed CSRF token is always refused; the module csrf checks that.
        options = ["--skip-crawl", "--module", ",".join(modules), "--skip", "csrf_token"]
        printed = run(url, cookie, folder, *options, timeout=seconds)
        # An unknown or failing module finds nothing, without an error.
        missing = [module for module in modules if f"Launching module {module}\n" not in printed]
        failures = re.findall(r"^Traceback .*|.*were skipped due to network issues", printed, re.MULTILINE)
        if missing or failures:
            raise SystemExit(f"FAILED wapiti: {missing=}, {failures=}; it printed:\n{printed[-2000:]}")
    kinds = json.loads((folder / REPORT).read_text())
    return [
        {"category": category, **finding}
        for kind in ("vulnerabilities", "anomalies", "additionals")
        for category, findings in kinds[kind].items()
        for finding in findings
    ]


def run(url, cookie, folder, *options, timeout):
    """Run wapiti with its files in `folder`; return its output.

    Raises `SystemExit` if it fails or takes longer than `timeout` seconds.
    """
    excluded = [option for path in EXCLUDED for option in ("--exclude", url + path)]
    files = ["--store-session", folder, "--store-config", folder / "config", "--format", "json", "--output", REPORT]
    # Otherwise its modules look up a host of its makers at the start.
    alone = ["--no-bugreport", "--dns-endpoint", "localhost"]
    command = [WAPITI, "--url", f"{url}/", "--cookie-value", cookie, *alone, *excluded, *files, *options]
    # Without the proxies of this machine.
    environ = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    log = folder / "wapiti.log"
    try:
        with log.open("wb") as output:
            subprocess.run(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                cwd=folder, env=environ, timeout=timeout, check=True,
            )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        last = log.read_text(errors="replace")[-2000:]
        raise SystemExit(f"FAILED wapiti: {type(error).__name__} within {timeout} s; it printed:\n{last}") from None
    return log.read_text(errors="replace")
