"""The examples compute what they say, as plain functions on small data."""

import importlib.util
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def module(name, folder=EXAMPLES):
    spec = importlib.util.spec_from_file_location(f"example_{name}", folder / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


make_data = module("make_data")


class TestDigits:
    digits = module("digits")

    @pytest.fixture
    def path(self, tmp_path):
        make_data.digits(tmp_path, size=400)
        return tmp_path / "digits.npz"

    def test_the_whole_workflow_reads_digits_well(self, path):
        result = self.digits.digits(path)
        assert result["logistic"] > 0.9
        assert result["trees"] > 0.9
        assert result["confusion"].sum() == 100

    def test_twice_the_same_bits(self, path):
        first, second = self.digits.digits(path), self.digits.digits(path)
        assert first["trees"] == second["trees"]
        assert np.array_equal(first["confusion"], second["confusion"])

    def test_no_image_is_both_learned_from_and_tested_on(self, path):
        images, labels = self.digits.read(path)
        keys = np.arange(len(images)).reshape(-1, 1, 1) * np.ones((1, 8, 8))
        train, test, *_ = self.digits.split(keys, labels)
        assert not set(train[:, 0, 0]) & set(test[:, 0, 0])
        assert len(train) + len(test) == len(images)

    def test_a_fourier_feature_product_approximates_the_gaussian_kernel(self):
        images = np.random.default_rng(0).random((6, 8, 8))
        features = self.digits.fourier(images, components=40_000, gamma=0.002)
        pixels = 16 * images.reshape(6, -1)
        kernel = np.exp(-0.002 * ((pixels[:, None] - pixels[None]) ** 2).sum(-1))
        assert np.allclose(features @ features.T, kernel, atol=0.03)

    def test_hog_tells_a_vertical_from_a_horizontal_stroke(self):
        vertical = np.zeros((8, 8))
        vertical[:, 3:5] = 1
        upright, lying = self.digits.hog(np.stack([vertical, vertical.T]))
        assert upright @ lying < 0.3 * (upright @ upright)

    def test_augmenting_keeps_the_images_and_their_labels(self, path):
        images, labels = self.digits.read(path)
        more, more_labels = self.digits.augment(images, labels, (-8, 8))
        assert np.array_equal(more[: len(images)], images)
        assert np.array_equal(more_labels, np.tile(labels, 3))


class TestCensus:
    census = module("census")

    @pytest.fixture
    def paths(self, tmp_path):
        make_data.census(tmp_path, size=3000)
        return tmp_path / "adult.data", tmp_path / "adult.test"

    def test_it_beats_always_saying_no(self, paths):
        rows = self.census.scan(*paths)
        no = 1 - self.census.label(rows)[~rows["train"]].mean()
        assert self.census.census(*paths)["check"]["accuracy"] > no + 0.02

    def test_the_odd_line_the_full_stops_and_the_missing_are_read(self, paths):
        rows = self.census.scan(*paths)
        assert len(rows) == 4500
        assert set(rows["income"]) == {">50K", "<=50K"}
        assert rows["age"].dtype == np.int64
        assert rows["occupation"].isna().sum() > 50
        assert not rows["train"].iloc[-1]

    def test_the_made_file_has_the_format_of_uci_adult(self, paths):
        data, test = (path.read_text().splitlines() for path in paths)
        assert test[0] == "|1x3 Cross validator"
        assert all(len(line.split(", ")) == 15 for line in data[:-1])
        assert data[-1] == test[-1] == ""
        assert all(line.endswith("K.") for line in test[1:-1])

    def test_the_cross_has_a_value_a_pair(self, paths):
        rows = self.census.scan(*paths)
        both = self.census.cross(self.census.field(rows, "sex"), self.census.field(rows, "race"))
        assert both.name == "sex x race"
        assert both.nunique() == rows.groupby(["sex", "race"]).ngroups

    def test_buckets_are_cut_on_training_rows_only_and_hold_about_as_many(self, paths):
        rows = self.census.scan(*paths)
        train = rows["train"]
        shares = self.census.bucket(rows, "weight", bins=5)[train].value_counts(normalize=True)
        assert np.allclose(shares, [0.2] * 5, atol=0.01)
        changed = rows.assign(weight=rows["weight"].where(train, 0))
        assert self.census.bucket(changed, "weight")[train].equals(self.census.bucket(rows, "weight")[train])

    def test_the_education_matters_to_the_made_label(self, paths):
        rows = self.census.scan(*paths)
        rich = rows.assign(rich=self.census.label(rows)).groupby(rows["years"] >= 13)["rich"].mean()
        assert rich[True] > rich[False] + 0.15


class TestText:
    text = module("text")

    @pytest.fixture
    def path(self, tmp_path):
        make_data.text(tmp_path, size=400)
        return tmp_path / "corpus.conll"

    def test_it_finds_most_names(self, path):
        score = self.text.text(path)["score"]
        assert score["f1"] > 0.8

    def test_the_best_path_is_the_best_of_all_paths(self):
        rng = np.random.default_rng(1)
        tags = self.text.TAGS
        follow = np.log(rng.dirichlet(np.ones(len(tags)), size=len(tags) + 1))
        emission = np.log(rng.dirichlet(np.ones(len(tags)), size=4))
        scores = {
            path: follow[0, path[0]] + sum(follow[a + 1, b] for a, b in itertools.pairwise(path))
            + sum(emission[at, tag] for at, tag in enumerate(path))
            for path in np.ndindex(*(len(tags),) * 4)
        }  # fmt: skip
        best = max(scores, key=scores.get)
        assert self.text.best_path(emission, follow) == [tags[tag] for tag in best]

    @pytest.mark.parametrize(
        ("tags", "names"),
        [
            ("O O", set()),
            ("B-PER I-PER O B-ORG", {(0, 2, "PER"), (3, 4, "ORG")}),
            ("B-PER B-PER", {(0, 1, "PER"), (1, 2, "PER")}),
            ("I-ORG O", set()),
        ],
    )
    def test_mentions_are_read_off_the_tags(self, tags, names):
        assert self.text.mentions(tags.split()) == names

    def test_the_score_counts_whole_names(self):
        truth = ["B-PER", "I-PER", "O", "B-ORG"]
        said = ["B-PER", "O", "O", "B-ORG"]
        assert self.text.score(said, truth) == {"precision": 0.5, "recall": 0.5, "f1": 0.5}

    def test_a_shape_forgets_letters_but_not_their_case(self):
        assert self.text.shape("Baker") == "Xx+"
        assert self.text.shape("2019") == "9+"


@pytest.mark.parametrize("name", ["census", "text"])
def test_made_data_depends_on_the_seed_alone(name, tmp_path):
    texts = []
    for number, seed in enumerate((1, 1, 2)):
        folder = tmp_path / str(number)
        folder.mkdir()
        make_data.MAKERS[name](folder, size=50, seed=seed)
        texts.append(sorted((path.name, path.read_bytes()) for path in folder.iterdir()))
    assert texts[0] == texts[1] != texts[2]
