"""python -m tests.db.increments URL POSTS: another process of the application; it starts at the first line of input."""

import sys
from concurrent.futures import ThreadPoolExecutor

from pyramid.request import Request
from sqlalchemy import select, update

from myproject import main
from myproject.models import User

USERS = User.__table__
NUMBER = select(USERS.c.name).where(USERS.c.id == 1)


def increment(request):
    """Read the number that is the first user's name, and write the next one: the pattern of a lost update."""
    number = int(request.dbsession.scalar(NUMBER))
    request.dbsession.execute(update(USERS).where(USERS.c.id == 1).values(name=str(number + 1)))


def post(application, times, threads):
    """Return the statuses of `times` POSTs to the probe, sent from `threads` threads at once."""

    def request(_number):
        return Request.blank("/probe", method="POST").get_response(application).status_int

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(request, range(times)))


if __name__ == "__main__":
    url, posts = sys.argv[1:]
    application = main({}, **{"sqlalchemy.url": url, "myproject.secret": "x" * 32, "pyramid.includes": "tests.probe"})
    application.registry["probe"] = increment
    print("ready", flush=True)
    sys.stdin.readline()
    print(sum(status == 200 for status in post(application, int(posts), threads=4)))
