import pytest

from osler.datasets import load_dataset, parse_name
from osler.errors import UsageError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("scifact", ("scifact", "train")),
        ("scifact:dev", ("scifact", "dev")),
        ("/data/a:b/scifact", ("/data/a:b/scifact", "train")),
        ("/data/a:b/scifact:dev", ("/data/a:b/scifact", "dev")),
        ("builtin:hpo-lay", ("builtin:hpo-lay", "train")),
        ("builtin:hpo-lay:test", ("builtin:hpo-lay", "test")),
    ],
)
def test_a_name_is_a_folder_and_a_split(name, expected):
    assert parse_name(name) == expected


@pytest.mark.parametrize("name", ["", ":dev", "scifact:", "builtin:", "builtin::dev"])
def test_a_name_that_lacks_a_half_is_refused(name):
    with pytest.raises(UsageError, match="names no data set: write DIR or DIR:split"):
        parse_name(name)


def test_an_unknown_built_in_set_names_the_known_ones():
    with pytest.raises(UsageError, match=r"^builtin:x: no such data set. Known: builtin:hpo-lay\.$"):
        load_dataset("builtin:x")
