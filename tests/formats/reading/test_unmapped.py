"""Keys that no field is known for: what is counted of them."""

from formats.reading.unmapped import FURTHER_KEYS, MAX_KEYS, add_unmapped, unmapped_texts


def test_the_names_of_keys_are_bounded_and_no_count_is_lost() -> None:
    counts: dict[str, int] = {}
    assert add_unmapped(counts, {"a": 1, "b": 2}) == ["a", "b"]
    assert add_unmapped(counts, {"a": 3, FURTHER_KEYS: 5}) == []
    assert counts == {"a": 4, "b": 2, FURTHER_KEYS: 5}
    new = add_unmapped(counts, {f"k{number}": 1 for number in range(100)})
    assert len(new) == MAX_KEYS - 2
    assert len(counts) == MAX_KEYS + 1
    assert sum(counts.values()) == 111


def test_what_is_beyond_the_names_is_called_others() -> None:
    assert unmapped_texts({"colour": 1200, FURTHER_KEYS: 3}) == ["colour (1,200)", "others (3)"]
