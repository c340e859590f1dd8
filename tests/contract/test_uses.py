"""What every modality owes to its users, over the registry: values, names, files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqvae.config import uses_of
from tests.contract.built import build, cases
from tests.contract.cases import Case


@cases
def test_a_use_of_a_modality_leaves_it_as_it_is(case: Case) -> None:
    modality = build(case.name).modality
    uses, data, before = uses_of(type(modality.data)), modality.data, modality.fingerprint()
    free = {name: getattr(modality.data, name) for name, use in uses.items() if "encoding" not in use}
    changed = {name: not value if isinstance(value, bool) else value for name, value in free.items()}
    other = modality.using(changed)
    assert type(other) is type(modality)
    assert [getattr(other.data, name) for name in changed] == list(changed.values())
    assert modality.data is data
    assert modality.fingerprint() == before
    fixed = [name for name, use in uses.items() if "encoding" in use and type(getattr(modality.data, name)) is int]
    for name in fixed:
        with pytest.raises(ValueError, match=rf"data\.{name}=.* is not possible"):
            modality.using({name: getattr(modality.data, name) + 1})


@cases
def test_what_is_handed_in_as_items_is_taken_as_it_is(case: Case) -> None:
    modality = build(case.name).modality
    for item in case.items:
        assert modality.accept([item]) == [item]
        assert modality.as_long_as(item, item) == item


@cases
@pytest.mark.parametrize("arrangement", ["set", "path"])
def test_files_have_different_names_that_come_before_their_contents(case: Case, arrangement: Any) -> None:
    modality, pieces = build(case.name).modality, [[item] for item in case.items[-2:]]
    written = modality.write(pieces, arrangement)
    names = [file.name for result in written for file in result.files]
    assert names
    assert len(set(names)) == len(names)
    assert all(Path(name).name == name for name in names)
    content = written[0].files[0].content()
    assert isinstance(content, bytes)
    assert content == modality.write(pieces, arrangement)[0].files[0].content()
    printed = modality.printed(pieces)
    assert printed is None or all(item in printed for (item,) in pieces)


@cases
def test_pixels_are_those_of_items_where_there_are_any(case: Case) -> None:
    modality = build(case.name).modality
    if not modality.has_pixels:
        with pytest.raises(ValueError, match="are no images"):
            modality.pixels(case.items[0])
        return
    pixels = modality.pixels(case.items[0])
    assert (pixels.dtype, pixels.ndim) == (np.uint8, 3)
