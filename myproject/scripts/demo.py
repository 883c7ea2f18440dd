"""python -m myproject.scripts.demo INI: add 200 believable people, with their posts, to the database of an ini file."""

import argparse
import datetime
import itertools
import random
import unicodedata

import transaction
from pyramid.paster import get_appsettings
from sqlalchemy import func, inspect, select

from ..db import get_engine, get_session_factory, get_tm_session
from ..models import Post, User
from ..settings import database_url
from .demo_texts import ENGLISH, ENGLISH_NAMES, KOREAN, KOREAN_NAMES

# They have joined within 24 months of the calendar: the overview shows as many.
DAYS = 690


def main(argv=None):
    """Add the demo people who are not there yet; of those who are, change nothing."""
    parser = argparse.ArgumentParser(prog="demo", description=main.__doc__)
    parser.add_argument("ini", help="the ini file, for instance development.ini")
    ini = parser.parse_args(argv).ini
    engine = get_engine(database_url(get_appsettings(ini)))
    try:
        with transaction.manager:
            dbsession = get_tm_session(get_session_factory(engine), transaction.manager)
            if not inspect(dbsession.connection()).has_table("posts"):
                raise SystemExit(f"The database of {ini} has no tables yet; run `initialize_db {ini}` first.")
            added = add_missing(dbsession, make_people(datetime.datetime.now(datetime.UTC)))
        print(f"{added} people were added.")
    finally:
        engine.dispose()


def add_missing(dbsession, people):
    """Add each (user, posts) of `people` whose address, or else whose name, no user has; return how many that were."""
    emails = set(dbsession.scalars(select(func.lower(User.email))))
    names = set(dbsession.scalars(select(User.name)))
    missing = [
        (user, posts) for user, posts in people if (user.email not in emails if user.email else user.name not in names)
    ]
    dbsession.add_all(user for user, _ in missing)
    # Posts are listed by id, the newest first: they get their ids in the order in which they were written.
    written = [(post, user) for user, posts in missing for post in posts]
    for post, user in sorted(written, key=lambda pair: pair[0].created_at):
        post.author = user
        dbsession.add(post)
    return len(missing)


def make_people(now):
    """Yield (user, posts) for each of the 200; the same at every run, but for the days, which end with `now`."""
    rng = random.Random(20)  # nosec B311
    english, korean = [(name, address_of(name)) for name in ENGLISH_NAMES], map(str.split, KOREAN_NAMES)
    for people, texts in [(english, ENGLISH), (korean, KOREAN)]:
        subjects = shuffled_for_ever(rng, itertools.product(texts["titles"], texts["topics"]))
        for name, address in people:
            user = make_user(rng, now, name, address)
            how_many = rng.choice([0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 6])
            yield user, [make_post(rng, now, user, texts, *next(subjects)) for _ in range(how_many)]


def make_user(rng, now, name, address):
    """Return a user; a few have no email or no age, few are more than members, and some have left."""
    # More of them lately than long ago.
    joined = now - datetime.timedelta(days=DAYS * rng.random() ** 1.5)
    return User(
        name=name,
        email=f"{address}@example.{rng.choice(['com', 'net', 'org'])}" if rng.random() < 0.95 else None,
        age=round(rng.triangular(19, 78, 34)) if rng.random() < 0.9 else None,
        role=rng.choices(["member", "editor", "admin"], [85, 12, 3])[0],
        active=rng.random() < 0.92,
        created_at=joined,
        updated_at=joined,
    )


def make_post(rng, now, user, texts, title, topic):
    """Return a post, still without its author, that was written after `user` had joined."""
    sentences = [rng.choice(texts["openings"]), *rng.sample(texts["middles"], rng.randint(1, 3))]
    body = " ".join(sentences) + "\n\n" + rng.choice(texts["closings"])
    written = user.created_at + rng.random() * (now - user.created_at)
    title, body = (first_upper(text.format(topic=topic)) for text in (title, body))
    return Post(title=title, body=body, created_at=written, updated_at=written)


def address_of(name):
    """Return `name` as people write it in front of an @: jose.garcia."""
    ascii_ = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return ".".join(ascii_.replace("'", "").replace("-", " ").split())


def first_upper(text):
    """Return `text` as the beginning of a sentence."""
    return text[0].upper() + text[1:]


def shuffled_for_ever(rng, items):
    """Return an iterator over `items` in some order, over and over again."""
    items = list(items)
    rng.shuffle(items)
    return itertools.cycle(items)


if __name__ == "__main__":
    main()
