"""200 made-up people with their posts, to try the site with. Any likeness to somebody is chance.

`/setup` and `scripts/demo.py` add them; `texts.py` has their names and what they write.
"""

import datetime
import itertools
import random
import unicodedata
from collections.abc import Iterable, Iterator
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ..posts.models import Post
from ..users.models import User
from .texts import ENGLISH, ENGLISH_NAMES, KOREAN, KOREAN_NAMES, Texts

# How many days ago the first person joined, at most: 24 months of the calendar, as the overview shows.
DAYS_SINCE_FIRST = 690
SEED = 20

T = TypeVar("T")


def add_demo_people(dbsession: Session, now: datetime.datetime) -> int:
    """Add the demo people who are not in the database yet, with their posts; return how many were added.

    A person is recognised by email, or by name if they have no email. The dates of records and posts end at `now`.
    """
    emails = set(dbsession.scalars(select(func.lower(User.email))))
    names = set(dbsession.scalars(select(User.name)))
    people = make_people(now)
    missing = [
        (user, posts) for user, posts in people if (user.email not in emails if user.email else user.name not in names)
    ]
    dbsession.add_all(user for user, _posts in missing)
    # Posts are listed by id, newest first, so the ids have to follow the dates.
    authored = [(post, user) for user, posts in missing for post in posts]
    for post, user in sorted(authored, key=lambda pair: pair[0].created_at):
        post.author = user
        dbsession.add(post)
    return len(missing)


def make_people(now: datetime.datetime) -> Iterator[tuple[User, list[Post]]]:
    """Yield (user, posts) for each person: always the same, except for the dates, which end at `now`."""
    rng = random.Random(SEED)  # nosec B311
    english = [(name, email_name(name)) for name in ENGLISH_NAMES]
    korean = [(name, address) for name, address in map(str.split, KOREAN_NAMES)]
    for people, texts in ((english, ENGLISH), (korean, KOREAN)):
        subjects = cycle_shuffled(rng, itertools.product(texts["titles"], texts["topics"]))
        for name, address in people:
            user = make_user(rng, now, name, address)
            number_of_posts = rng.choice([0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 6])
            yield user, [make_post(rng, now, user, texts, *next(subjects)) for _ in range(number_of_posts)]


def make_user(rng: random.Random, now: datetime.datetime, name: str, address: str) -> User:
    """Return a user. A few have no email or no age, a few are editors or administrators, and some are inactive."""
    # More people joined recently than long ago.
    joined = now - datetime.timedelta(days=DAYS_SINCE_FIRST * rng.random() ** 1.5)
    return User(
        name=name,
        email=f"{address}@example.{rng.choice(['com', 'net', 'org'])}" if rng.random() < 0.95 else None,
        age=round(rng.triangular(19, 78, 34)) if rng.random() < 0.9 else None,
        role=rng.choices(["member", "editor", "admin"], [85, 12, 3])[0],
        active=rng.random() < 0.92,
        created_at=joined,
        updated_at=joined,
    )


def make_post(rng: random.Random, now: datetime.datetime, user: User, texts: Texts, title: str, topic: str) -> Post:
    """Return a post without an author, dated between the day that `user` joined and `now`."""
    sentences = [rng.choice(texts["openings"]), *rng.sample(texts["middles"], rng.randint(1, 3))]
    body = " ".join(sentences) + "\n\n" + rng.choice(texts["closings"])
    created_at = user.created_at + rng.random() * (now - user.created_at)
    title, body = (capitalize_first(text.format(topic=topic)) for text in (title, body))
    return Post(title=title, body=body, created_at=created_at, updated_at=created_at)


def email_name(name: str) -> str:
    """Return the part of an email before the @ for `name`: José García → jose.garcia."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return ".".join(ascii_name.replace("'", "").replace("-", " ").split())


def capitalize_first(text: str) -> str:
    """Return `text` with a capital first letter."""
    return text[0].upper() + text[1:]


def cycle_shuffled(rng: random.Random, items: Iterable[T]) -> Iterator[T]:
    """Return an endless iterator that repeats `items` in one random order."""
    shuffled = list(items)
    rng.shuffle(shuffled)
    return itertools.cycle(shuffled)
