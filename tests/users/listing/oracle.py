"""An oracle for the list: odd people, terms to search for, and who of the people meets them, all in plain Python."""

import datetime
import random
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from myproject.db.folding import fold, initials
from myproject.users.listing.search import AROUND_ADDRESSES, PUNCTUATION
from myproject.users.listing.view import ORDERS

UTC = ZoneInfo("UTC")
SORTS = [sign + order for order in ORDERS for sign in ("", "-")]

# A few letters, so that they meet: of every kind that is folded, and those that a LIKE, an FTS5 or a tsquery reads.
LETTERS = [
    *["a", "b", "A", "á", "a\u0301", "Ａ", "k", "K", "ß", "s"],
    *["ς", "Σ", "김", "기", "가", "ㄱ", "철", "李", "ん", "ﬁ"],
]
SIGNS = [*"%_*/\\'`’^(){}&|!<>:-+.,~@😀", " ", "\u3000", "\u0301", "AND", "OR", "NEAR", "NULL", "<->"]
# Names that many people share.
COMMON_NAMES = ["Ada Kim", "José", "Jose", "김철수", "O'Neil", "100%", "a_b", "kabak"]
words = st.lists(st.sampled_from(LETTERS) | st.sampled_from(SIGNS), min_size=1, max_size=4).map("".join)


def day(*parts):
    """Return the first moment of a day in UTC."""
    return datetime.datetime(*parts, tzinfo=datetime.UTC)


def made_people(number):
    """Return `number` people, dictionaries, of the letters and signs above; many lack an email or an age."""
    chance = random.Random(7)
    people = []
    for one in range(1, number + 1):
        name = "".join(chance.choices([*LETTERS * 3, *SIGNS], k=chance.randint(1, 12)))
        name = chance.choice(COMMON_NAMES) if chance.random() < 0.2 else name
        email = "".join(chance.choices("abkKs%_'`/*", k=chance.randint(1, 6))) + f"@{one}.example"
        people.append(
            {
                "id": one,
                "name": name[:200],
                "email": email if chance.random() < 0.7 else None,
                "age": chance.choice([None, 0, 1, 29, 30, 31, 150]),
                "role": chance.choice(["member", "member", "member", "editor", "admin"]),
                "active": chance.random() < 0.8,
                "has_posts": chance.random() < 0.3,
                "created_at": day(2025, 12, 30) + datetime.timedelta(hours=chance.randint(0, 100)),
            }
        )
    return people


PEOPLE = made_people(3000)
FEW_PEOPLE = PEOPLE[:150]
SEARCHED_TEXTS = {person["id"]: (fold(person["name"]), fold(person["email"] or "")) for person in PEOPLE}


def within(low, value, high):
    """Return whether `value` is between `low` and `high`, each `None` where open."""
    return value is not None and (low is None or low <= value) and (high is None or value <= high)


def text_term(field, word):
    """Return how to type a search for `word`, and the function that tells whether a person has it."""
    # Around a word without quotation marks, the search ignores what a text or a link has around an address.
    is_cleaned = word.strip(PUNCTUATION + AROUND_ADDRESSES) != word or "?" in word
    bare = word.split() == [word] and not word.startswith("-") and ":" not in word and not is_cleaned
    folded = " ".join(fold(word).split())

    def has(person):
        name, email = SEARCHED_TEXTS[person["id"]]
        return folded in email or (field == "text" and (folded in name or folded in initials(name)))

    def begins(person):
        name, _email = SEARCHED_TEXTS[person["id"]]
        return any(f" {folded}" in f" {words}" for words in (name, initials(name)))

    has.begins = begins if field == "text" and "@" not in folded else None
    return ("email:" if field == "email" else "") + (word if bare else f'"{word}"'), folded and has


def age_term(low, high):
    """Return the same for an age."""
    typed = f"age:{'' if low is None else low}-{'' if high is None else high}"
    return typed, lambda person: within(low, person["age"], high)


def joined_term(day_of_month, month):
    """Return the same for a day, or a month, of the turn of the year."""
    date = datetime.date(2025 + (month == 1), month, day_of_month)
    whole = day_of_month == 15
    typed = f"{date:%Y-%m}" if whole else f"{date:%Y-%m-%d}"

    def has(person):
        joined = person["created_at"].date()
        return (joined.year, joined.month) == (date.year, date.month) if whole else joined == date

    return f"joined:{typed}", has


def choice_term(field, value):
    """Return the same for a role, for activity and for posts."""
    column = {"posts": "has_posts"}.get(field, field)
    typed = {True: "yes", False: "no"}.get(value, value)
    return f"{field}:{typed}", lambda person: person[column] == value


parts_of_people = st.builds(
    lambda person, start, length: f"{person['name']} {person['email']}"[start:][:length].replace('"', "") or "a",
    st.sampled_from(PEOPLE),
    st.integers(0, 12),
    st.integers(1, 6),
)
ages = st.none() | st.sampled_from([0, 1, 29, 30, 150])
# (excluded, (how it is typed, the function that tells who meets it))
terms = st.tuples(
    st.booleans() | st.just(False),
    st.builds(text_term, st.just("text"), words | parts_of_people)
    | st.builds(text_term, st.sampled_from(["text", "email"]), words | parts_of_people)
    | st.tuples(ages, ages)
    .filter(lambda pair: pair != (None, None) and (None in pair or pair[0] <= pair[1]))
    .map(lambda pair: age_term(*pair))
    | st.builds(joined_term, st.sampled_from([1, 2, 15, 30]), st.sampled_from([1, 12]))
    | st.builds(choice_term, st.just("role"), st.sampled_from(["member", "editor", "admin"]))
    | st.builds(choice_term, st.sampled_from(["active", "posts"]), st.booleans()),
)


def typed(searched):
    """Return the text of a search for the terms."""
    return " ".join("-" * excluded + text for excluded, (text, _has) in searched)


def meet(searched, people=PEOPLE):
    """Return those of the people who meet all terms."""
    asked = [(excluded, has) for excluded, (_text, has) in searched if has]
    return [person for person in people if all(has(person) != excluded for excluded, has in asked)]


# The keys of each order but that of names on PostgreSQL, which ICU compares.
KEYS = {
    "name": lambda person: SEARCHED_TEXTS[person["id"]],
    "email": lambda person: (person["email"] or "").lower(),
    "age": lambda person: -1 if person["age"] is None else person["age"],
    "role": lambda person: person["role"],
    "active": lambda person: person["active"],
    "joined": lambda person: person["created_at"],
    "added": lambda person: 0,
}


def ranked(people, searched):
    """Return the ids of the people: those of whom each word begins a word of the name come first, then the newest."""
    asked = [has.begins for excluded, (_text, has) in searched if getattr(has, "begins", None) and not excluded]
    keys = {person["id"]: (all(begins(person) for begins in asked), person["id"]) for person in people}
    return sorted(keys, key=keys.get, reverse=True)


def in_order(people, sort):
    """Return the ids of the people in an order of the list."""
    key = KEYS[sort.removeprefix("-")]
    return [
        person["id"]
        for person in sorted(people, key=lambda person: (key(person), person["id"]), reverse=sort.startswith("-"))
    ]
