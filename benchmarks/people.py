"""Made-up people, the same on every machine: each name, age, role and month of joining has a fixed share of them."""

import datetime
import random
from collections.abc import Iterator

FIRST_NAMES = [
    "Ada", "Alan", "Grace", "Linus", "Margaret", "Dennis", "Barbara", "Ken", "Guido", "Radia", "Kim", "Lee", "Park",
    "Choi", "Jin", "Mina", "Yuna", "Olga", "Ivan", "Chen", "Wei", "Maria", "Jose", "Ana", "Luis", "Fatima", "Omar",
    "Aisha", "Noor", "Sofia", "Emma", "Liam", "Noah", "Mia", "Zoe", "Eva", "Max", "Leo", "Tom", "Amy",
]  # fmt: skip
LAST_NAMES = [
    "Lovelace", "Turing", "Hopper", "Torvalds", "Hamilton", "Ritchie", "Liskov", "Thompson", "Rossum", "Perlman",
    "Garcia", "Smith", "Johnson", "Brown", "Jones", "Miller", "Davis", "Wilson", "Moore", "Taylor", "Anderson",
    "Thomas", "Jackson", "White", "Harris", "Martin", "Kimura", "Sato", "Suzuki", "Tanaka", "Ivanov", "Petrov",
    "Novak", "Muller", "Schmidt", "Rossi", "Silva", "Santos", "Nguyen", "Tran",
]  # fmt: skip
ROLES = [*["member"] * 19, "editor", "admin"]
FIRST_DAY, LAST_DAY = datetime.datetime(2024, 1, 1), datetime.datetime(2026, 1, 1)

# (name, email, age, role, active, has posts, joined)
Person = tuple[str, str, int, str, bool, bool, datetime.datetime]


def people(rows: int) -> Iterator[Person]:
    """Yield `rows` people, who joined one after the other.

    For any number of people, they joined within the same two years, nine of ten are active, and every fifth has posts.
    Names, email addresses and ages are those of the comparison with other admin interfaces.
    """
    rng = random.Random(502891)
    interval = (LAST_DAY - FIRST_DAY) / rows
    for number in range(1, rows + 1):
        first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
        email = f"{first}.{last}.{number}@example.com".lower()
        age, role = rng.randint(18, 90), rng.choice(ROLES)
        active, has_posts = number // 5 % 10 != 9, number % 5 == 0
        yield f"{first} {last}", email, age, role, active, has_posts, FIRST_DAY + (number - 1) * interval
