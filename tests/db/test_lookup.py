"""Which texts in an address are ids."""

import pytest

from myproject.db.lookup import to_id


@pytest.mark.parametrize("text", ["1", "10", "2147483647"])
def test_a_number_that_the_column_can_hold_is_an_id(text):
    assert to_id(text) == int(text)


@pytest.mark.parametrize("text", ["", "0", "01", "-1", "+1", " 1", "1.0", "1e3", "١", "2147483648", "9" * 5000])
def test_no_other_text_is_an_id(text):
    assert to_id(text) is None
