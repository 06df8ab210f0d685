import pytest

from osler.errors import UsageError
from osler.train.settings import load_recipe

RECIPE = """
backbone = "minilm"
[[data]]
folder = "scifact"
dev_share = 0.2
[retriever]
batch = 64
"""


@pytest.fixture
def recipe_file(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


def test_a_file_gives_its_settings_and_the_defaults_of_the_others(recipe_file):
    recipe = load_recipe(recipe_file)
    assert (recipe.data[0].folder, recipe.data[0].split, recipe.retriever.batch) == ("scifact", "train", 64)
    assert recipe.retriever.resolved_scale == 20.0


def test_flags_and_changes_overrule_the_file(recipe_file):
    recipe = load_recipe(recipe_file, flags={"backbone": "mine", "device": None}, changes=["retriever.batch=8"])
    assert (recipe.backbone, recipe.device, recipe.retriever.batch) == ("mine", "cpu", 8)


def test_data_that_are_given_take_the_place_of_those_in_the_file(recipe_file):
    recipe = load_recipe(recipe_file, data=[{"folder": "bioasq", "split": "train"}])
    assert [data.folder for data in recipe.data] == ["bioasq"]


def test_a_change_may_be_a_word_without_quotes():
    assert load_recipe(changes=["retriever.similarity=dot"]).retriever.resolved_scale == 1.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("retriever.bacth=8", "unknown setting 'retriever.bacth'. Known settings: .*batch"),
        ("sed=8", "unknown setting 'sed'. Known settings: .*seed"),
        ("retriever.batch=1", "retriever.batch = 1 is not possible"),
        ("mining.relative_margin=2", "mining.relative_margin = 2 is not possible"),
        ("retriever.similarity=l2", "retriever.similarity = 'l2' is not possible"),
        ("retriever", "no setting: write name=value"),
        ("choice=5", "choice = 5 is no table of settings"),
    ],
)
def test_a_setting_that_is_unknown_or_impossible_is_named(change, said):
    with pytest.raises(UsageError, match=said):
        load_recipe(changes=[change])


def test_an_unknown_setting_of_a_data_set_is_named_with_the_known_ones(tmp_path):
    (tmp_path / "r.toml").write_text('[[data]]\nfolder = "a"\nwieght = 2\n')
    with pytest.raises(UsageError, match=r"r.toml: unknown setting 'data.0.wieght'. Known settings: .*weight"):
        load_recipe(tmp_path / "r.toml")


def test_a_data_set_without_a_folder_is_told_so(tmp_path):
    (tmp_path / "r.toml").write_text('[[data]]\nsplit = "train"\n')
    with pytest.raises(UsageError, match=r"r.toml: data.0.folder is missing: set it"):
        load_recipe(tmp_path / "r.toml")


def test_a_change_of_a_data_set_goes_by_its_number(recipe_file):
    assert load_recipe(recipe_file, changes=["data.0.pairs=48"]).data[0].pairs == 48
    with pytest.raises(UsageError, match="there is no data set 1"):
        load_recipe(recipe_file, changes=["data.1.pairs=48"])


def test_a_change_of_all_data_sets_at_once_is_refused(recipe_file):
    for change in ("data.pairs=48", "data.0=foo"):
        with pytest.raises(UsageError, match=r"name a data set by its number, such as data\.0\.pairs"):
            load_recipe(recipe_file, changes=[change])


def test_the_settings_of_a_table_in_a_table_are_named():
    with pytest.raises(UsageError, match="'reranker.tuning.rnk'. Known settings: alpha"):
        load_recipe(changes=["reranker.tuning={rnk = 2}"])


def test_a_file_that_is_missing_or_no_toml_is_one_line(tmp_path):
    with pytest.raises(UsageError, match="cannot read the recipe"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "r.toml").write_text("[[data")
    with pytest.raises(UsageError, match="not TOML"):
        load_recipe(tmp_path / "r.toml")
