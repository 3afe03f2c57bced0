"""Write the files that the examples read: ``python make_data.py digits|census|text [FOLDER] [--size N]``.

Nothing is downloaded. The digits ship with scikit-learn; the census and the corpus are made up from a seed,
in the formats of UCI Adult (OpenML data 1590) and of CoNLL, so that the real ones can be put in their place.
"""

import argparse
from pathlib import Path

import numpy as np

# ---------------------------------------------------------------------------------------------- digits


def digits(folder, size=1797, seed=0):
    """Write ``digits.npz``: the first ``size`` of the 1,797 images of 8 x 8 pixels, and their labels."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    np.savez(Path(folder) / "digits.npz", images=images[:size].reshape(-1, 8, 8), labels=labels[:size])


# ---------------------------------------------------------------------------------------------- census

EDUCATION = {  # name: (years in the column education-num, share of people in per mille)
    "Preschool": (1, 2), "1st-4th": (2, 5), "5th-6th": (3, 10), "7th-8th": (4, 20), "9th": (5, 16),
    "10th": (6, 29), "11th": (7, 36), "12th": (8, 13), "HS-grad": (9, 323), "Some-college": (10, 224),
    "Assoc-voc": (11, 42), "Assoc-acdm": (12, 33), "Bachelors": (13, 165), "Masters": (14, 53),
    "Prof-school": (15, 18), "Doctorate": (16, 13),
}  # fmt: skip
OCCUPATION = {  # name: (share with little schooling, share with much, worth in log-odds of a high income)
    "Prof-specialty": (20, 420, 0.7), "Craft-repair": (170, 40, 0.2), "Exec-managerial": (70, 230, 1.0),
    "Adm-clerical": (130, 70, 0.0), "Sales": (110, 110, 0.4), "Other-service": (150, 20, -0.9),
    "Machine-op-inspct": (90, 8, -0.2), "?": (60, 35, -0.2), "Transport-moving": (65, 6, 0.0),
    "Handlers-cleaners": (60, 5, -0.6), "Farming-fishing": (38, 12, -0.9), "Tech-support": (22, 36, 0.6),
    "Protective-serv": (20, 16, 0.6), "Priv-house-serv": (6, 1, -1.6), "Armed-Forces": (1, 1, 0.0),
}  # fmt: skip
WORKCLASS = {
    "Private": 697, "Self-emp-not-inc": 78, "Local-gov": 64, "?": 56, "State-gov": 40, "Self-emp-inc": 34,
    "Federal-gov": 29, "Without-pay": 1, "Never-worked": 1,
}  # fmt: skip
COUNTRY = {
    "United-States": 896, "Mexico": 20, "?": 18, "Philippines": 6, "Germany": 4, "Canada": 4, "India": 3,
    "England": 3, "Cuba": 3, "China": 2,
}  # fmt: skip
RACE = {"White": 854, "Black": 96, "Asian-Pac-Islander": 32, "Amer-Indian-Eskimo": 10, "Other": 8}


def census(folder, size=32561, seed=0):
    """Write ``adult.data``, ``adult.test`` (half as many) and ``adult.more.data``, a later delivery of all.

    Args:
        folder: where to write.
        size: rows of ``adult.data``; as many as the real one has, unless told.
        seed: of the made-up people.
    """
    rng = np.random.default_rng(seed)
    folder = Path(folder)
    people = _people(rng, size)
    (folder / "adult.data").write_text("".join(f"{line}\n" for line in people) + "\n")
    test = _people(rng, size // 2)
    (folder / "adult.test").write_text("|1x3 Cross validator\n" + "".join(f"{x}.\n" for x in test) + "\n")
    more = people + _people(rng, size // 4)
    (folder / "adult.more.data").write_text("".join(f"{line}\n" for line in more) + "\n")


def _pick(rng, shares, size):
    weights = np.array(list(shares.values()), dtype=float)
    return rng.choice(list(shares), size=size, p=weights / weights.sum())


def _people(rng, size):
    """Return lines of UCI Adult; the label depends on the columns about as it does in the real table."""
    age = np.clip(17 + rng.gamma(2.4, 9.0, size), 17, 90).astype(int)
    education = _pick(rng, {name: share for name, (_, share) in EDUCATION.items()}, size)
    years = np.array([EDUCATION[name][0] for name in education])
    little = _pick(rng, {name: row[0] for name, row in OCCUPATION.items()}, size)
    much = _pick(rng, {name: row[1] for name, row in OCCUPATION.items()}, size)
    occupation = np.where(years >= 12, much, little)
    workclass = np.where(occupation == "?", "?", _pick(rng, WORKCLASS, size))
    sex = np.where(rng.random(size) < 0.67, "Male", "Female")
    married = rng.random(size) < np.clip((age - 18) / 25, 0.02, 0.58) * np.where(sex == "Male", 1.15, 0.55)
    single = np.where(rng.random(size) < np.clip((age - 20) / 50, 0, 0.8), "Divorced", "Never-married")
    marital = np.where(married, "Married-civ-spouse", single)
    spouse = np.where(sex == "Male", "Husband", "Wife")
    alone = np.where((age < 26) & (rng.random(size) < 0.6), "Own-child", "Not-in-family")
    relationship = np.where(married, spouse, alone)
    hours = np.clip(np.where(rng.random(size) < 0.47, 40, rng.normal(40, 14, size)), 1, 99).astype(int)
    gain = np.where(rng.random(size) < 0.083, rng.lognormal(8.4, 1.1, size), 0).clip(0, 99999).astype(int)
    loss = np.where(rng.random(size) < 0.047, rng.normal(1870, 370, size), 0).clip(0, 4356).astype(int)
    worth = np.array([OCCUPATION[name][2] for name in occupation])
    logit = (
        -4.35 + 0.30 * (years - 9) + 2.3 * married + worth + 0.028 * (hours - 40) + 0.0003 * gain
        + 0.0006 * loss - 0.0016 * (age - 50) ** 2 + 0.9
        # A degree pays more where the occupation asks for one: what the interaction feature can find.
        + 0.6 * ((years >= 13) & np.isin(occupation, ["Prof-specialty", "Exec-managerial"]))
    )  # fmt: skip
    rich = rng.random(size) < 1 / (1 + np.exp(-logit))
    columns = (
        age, workclass, rng.lognormal(12.05, 0.5, size).astype(int), education, years, marital, occupation,
        relationship, _pick(rng, RACE, size), sex, gain, loss, hours, _pick(rng, COUNTRY, size),
        np.where(rich, ">50K", "<=50K"),
    )  # fmt: skip
    return [", ".join(map(str, row)) for row in zip(*columns)]


# ------------------------------------------------------------------------------------------------ text

SYLLABLES = [
    "ba", "be", "bor", "da", "del", "fen", "ga", "har", "ina", "jo", "ka", "kel", "la", "lin",
    "ma", "mer", "mo",
    "na", "nor", "o", "pa", "per", "ra", "ri", "ro",
    "sa", "son", "ta", "ti", "va", "vi", "wen",
]  # fmt: skip
FIRST = [  # May, Mark, Will and Rose are words of other kinds as well.
    "Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Hugo", "Iris", "Jonas", "Kate", "Liam",
    "Mark",
    "May", "Nora", "Oscar", "Paula", "Rose", "Will", "Zoe",
]  # fmt: skip
SUFFIX = ["Ltd", "Inc", "Group", "Bank", "Systems", "University", "Motors", "& Sons"]
PLACE = ["London", "Paris", "Cairo", "Lima", "Oslo", "Quito", "Hanoi", "Turin", "Porto", "Dakar", "Kyoto"]
TITLES = ["Mr", "Mrs", "Dr", "Prof."]
TEMPLATES = """
{PER} , chief executive of {ORG} , resigned on Monday .
{ORG} said it will open an office in {PLACE} in May .
Shares of {ORG} fell {NUM} percent after {PER} left the board .
{PER} told reporters in {PLACE} that the deal was off .
The minister met {PER} and {PER} in {PLACE} on Friday .
{ORG} and {ORG} agreed to merge , {PER} said .
In {PLACE} , prices rose by {NUM} percent in the year .
A spokesman for {ORG} declined to comment .
{PER} joined {ORG} from {ORG} in {NUM} .
The will of the late {PER} names {ORG} as heir .
Analysts mark the shares of {ORG} down by {NUM} percent .
According to {PER} , a rose garden in {PLACE} was sold to {ORG} .
Police in {PLACE} arrested {NUM} people on Monday .
Professor {PER} of {ORG} won the prize .
The court in {PLACE} ruled against {ORG} and for {PER} .
""".strip().splitlines()


def text(folder, size=6000, seed=0):
    """Write ``corpus.conll``: sentences of the business pages, a token and its tag a line.

    Args:
        folder: where to write.
        size: number of sentences, about 12 tokens each.
        seed: of the sentences and of the names in them; most surnames and firms occur only a few times.
    """
    rng = np.random.default_rng(seed)
    surnames = [_word(rng) for _ in range(size // 4 + 20)]
    lines = []
    for _ in range(size):
        for slot in TEMPLATES[rng.integers(len(TEMPLATES))].split():
            lines += [f"{token} {tag}" for token, tag in _filled(rng, slot, surnames)]
        lines.append("")
    (Path(folder) / "corpus.conll").write_text("\n".join(lines) + "\n")


def _word(rng):
    return "".join(rng.choice(SYLLABLES, size=rng.integers(2, 4))).capitalize()


def _filled(rng, slot, surnames):
    """Return (token, tag) pairs for one word or slot of a template."""
    surname = surnames[rng.integers(len(surnames))]
    match slot:
        case "{PER}":
            kind = rng.random()
            name = [surname] if kind < 0.35 else [FIRST[rng.integers(len(FIRST))], surname]
            title = [(TITLES[rng.integers(len(TITLES))], "O")] if kind < 0.2 else []
            return title + list(zip(name, ["B-PER", "I-PER"]))
        case "{ORG}":
            # A firm is often called after a person, and sometimes by the bare name: context must decide.
            name = [surname] if rng.random() < 0.3 else [surname, *SUFFIX[rng.integers(len(SUFFIX))].split()]
            return list(zip(name, ["B-ORG", "I-ORG", "I-ORG"]))
        case "{PLACE}":
            return [(PLACE[rng.integers(len(PLACE))], "O")]
        case "{NUM}":
            return [(str(rng.integers(2, 2020)), "O")]
        case word:
            return [(word, "O")]


MAKERS = {"digits": digits, "census": census, "text": text}


def main():
    """Read the command line and write one example's files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("example", choices=sorted(MAKERS))
    parser.add_argument("folder", nargs="?", default=".")
    parser.add_argument("--size", type=int, help="images, rows or sentences")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    size = {} if arguments.size is None else {"size": arguments.size}
    MAKERS[arguments.example](arguments.folder, seed=arguments.seed, **size)


if __name__ == "__main__":
    main()
