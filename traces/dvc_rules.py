"""The rules by which a DVC stage is read: its category, its dependencies' kinds, its program.

They are the rules that the published tables of histories were made with (see docs/traces.md), so that a lock
file read from Git and the same version in the tables agree. They are guesses from names, not validated by
hand.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from mile_rl.workflows.edits import Stage
from traces.words import word_set, word_tuple

STAGE_OF_CATEGORY: dict[str, Stage] = {
    "data": "preprocess",
    "features": "preprocess",
    "model": "learn",
    "evaluation": "evaluate",
    "report": "evaluate",
}
"""Category -> stage; ``other`` takes its stage from its place in the DAG, see ``stage_of_other``."""

_KEYWORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "evaluation",
        word_tuple(
            "eval metric scor benchmark assess infer predict perform compar recommend rank explain measur"
        ),
    ),
    (
        "report",
        word_tuple(
            "report plot viz visual figur dashboard render publish deploy regist export upload table "
            "summar statistic stats interpret finaliz push readme"
        ),
    ),
    (
        "model",
        word_tuple(
            "train model fit tun hyper optimi ensemble search sweep mcmc run- regress posterior quantiz prun"
        ),
    ),
    (
        "features",
        word_tuple("featur vector embed encod transform tfidf select scal normali tokeni augment reduc"),
    ),
    (
        "data",
        word_tuple(
            "data download fetch extract ingest load clean process prepar merge import collect scrape "
            "convert filter scan schema parse join split aggregat impute collat get build cluster generat "
            "link extend hash index combin unzip sampl create copy restruct csv sequenti"
        ),
    ),
)
_VERB_DATA = re.compile(r"(get|load|prepare|process|clean|fetch|download|split|make)[-_ ].*data.*")
_BARE_TEST = re.compile(r"(^|[^a-z])(test|testing|pytest|valid|validate|validation)($|[^a-z])")

_CODE = word_set(".py .ipynb .r .rmd .qmd .sh .bash .sql .jl .js .ts .rs .go .java .scala .c .cpp .m .pl")
_CONFIG = word_set(".yaml .yml .toml .ini .cfg .conf .properties")
_CODE_FOLDERS = word_set("src code scripts script lib")


def category(name: str, command: str = "") -> str:
    """Return data, features, model, evaluation, report or other.

    Args:
        name: the stage's name; what follows "@" (a matrix or foreach item) does not count.
        command: program and script, whose last word is looked at where the name says nothing.
    """
    found = _by_words(name.split("@", 1)[0].lower())
    if found == "other" and command:
        script = command.split()[-1].rsplit("/", 1)[-1]
        script = script.rsplit(".", 1)[-1] if " -m " in command else script.rsplit(".", 1)[0]
        found = _by_words(script.lower())
    return found


def _by_words(text: str) -> str:
    if "split" in text or _VERB_DATA.fullmatch(text):
        return "data"
    if text.startswith("train"):
        return "model"
    if text.startswith("feature"):
        return "features"
    for category, keywords in _KEYWORDS:
        if any(word in text for word in keywords):
            return category
    return "evaluation" if _BARE_TEST.search(text) else "other"


def stage_of_other(name: str, learners: frozenset[str], ancestors: frozenset[str]) -> Stage:
    """Return the stage of a stage of category ``other``: evaluate behind a model, else preprocess.

    Args:
        name: the stage.
        learners: the names of the stages of category model.
        ancestors: the names of all stages that this one depends on, directly or not.
    """
    return "evaluate" if learners & ancestors else "preprocess"


def dependency_kind(path: str, outputs: Sequence[str]) -> str:
    """Return up (the output of a stage of the same lock file), code, config or data.

    Args:
        path: the dependency's path.
        outputs: the paths of all outputs in the lock file.
    """
    if any(overlaps(output, path) for output in outputs):
        return "up"
    file = path.rstrip("/").lower().rpartition("/")[2]
    suffix = file[file.rfind(".") :] if "." in file else ""
    if suffix in _CONFIG:
        return "config"
    if suffix in _CODE:
        return "code"
    return "code" if file in _CODE_FOLDERS else "data"


def overlaps(output: str, dependency: str) -> bool:
    """Tell whether an output is a dependency, lies inside it or contains it."""
    a, b = output.rstrip("/"), dependency.rstrip("/")
    return a == b or a.startswith(f"{b}/") or b.startswith(f"{a}/")


_RUNNERS = word_set("python python3 python2 Rscript bash sh node julia papermill jupyter pipenv poetry uv")
_PAIRS = frozenset({("pipenv", "run"), ("poetry", "run"), ("uv", "run"), ("jupyter", "nbconvert")})


def program(command: str | Sequence[str]) -> str:
    """Return what a command runs, without its arguments: the program and its script, module or subcommand.

    Example:
        >>> program("python -u src/train.py --lr 0.1"), program(["dvc-viewer x", "echo done"])
        ('python src/train.py', 'dvc-viewer x')
    """
    first = command if isinstance(command, str) else next(iter(command), "")
    try:
        parts = shlex.split(first.replace("\n", " "))
    except ValueError:
        parts = first.split()
    while parts and re.fullmatch(r"\w+=.*", parts[0]):
        parts.pop(0)
    while tuple(parts[:2]) in _PAIRS:
        parts = parts[2:]
    if not parts:
        return ""
    runner = parts[0].rsplit("/", 1)[-1]
    rest = parts[1:]
    if "-m" in rest[:3]:
        module = rest[rest.index("-m") + 1 : rest.index("-m") + 2]
        return " ".join([runner, "-m", *module])
    script = next((part for part in rest if not part.startswith("-")), None)
    return f"{runner} {script}" if script else runner
