"""A made repository with a dvc.lock, in Git and as rows of the published table: the same history twice."""

import os
import subprocess

import yaml

PERSON = "ada.lovelace@example.org"


def lock(*, C=1.0, code="c1", data="d1", prepare="python src/prepare.py", split=False, config="f1", flag=""):
    """Return a lock file's stages: prepare -> train -> evaluate, with split between on demand."""
    stages = {
        "prepare": {
            "cmd": prepare,
            "deps": [
                {"path": "data/raw.csv", "md5": data, "size": 1000},
                {"path": "src/prepare.py", "md5": code, "size": 10},
            ],
            "outs": [{"path": "data/clean.csv", "md5": f"clean-{data}-{code}", "size": 900}],
        },
        "train": {
            "cmd": f"python src/train.py{flag}",
            "deps": [
                {"path": "data/clean.csv", "md5": f"clean-{data}-{code}", "size": 900},
                {"path": "conf/model.yaml", "md5": config, "size": 5},
            ],
            "params": {"params.yaml": {"train": {"C": C, "api_token": "hush"}}},
            "outs": [
                {"path": "model.pkl", "md5": f"model-{C}-{data}", "size": 40},
                {"path": "log.txt", "md5": "l", "size": 2},
            ],
        },
        "evaluate": {
            "cmd": "python src/evaluate.py",
            "deps": [{"path": "model.pkl", "md5": f"model-{C}-{data}", "size": 40}],
            "outs": [{"path": "scores.json", "md5": f"scores-{C}-{data}", "size": 7}],
        },
    }
    if split:
        stages["split"] = {
            "cmd": "python src/split.py",
            "deps": [{"path": "data/clean.csv", "md5": f"clean-{data}-{code}", "size": 900}],
            "outs": [{"path": "data/train.csv", "md5": "t", "size": 800}],
        }
    return stages


VERSIONS = (
    lock(),
    lock(C=10.0),
    lock(C=10.0, code="c2"),
    lock(C=10.0, code="c2", data="d2", split=True),
    lock(C=10.0, code="c2", data="d2", split=True, flag=" --fast"),
    lock(C=10.0, code="c2", config="f2"),
    lock(C=10.0, code="c2"),
    lock(C=10.0, code="c2", prepare="Rscript src/prepare.R"),
)
"""What each commit left; the seventh brings back the third."""


def git(folder, *arguments, when=1_600_000_000, author=PERSON, name="Ada"):
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": author,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": author,
        "GIT_AUTHOR_DATE": f"{when} +0000",
        "GIT_COMMITTER_DATE": f"{when} +0000",
    }
    subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True)


def commit(folder, stages, when, **options):
    (folder / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "work", when=when, **options)


def make_repository(folder, versions=VERSIONS):
    """Commit the versions, an hour apart."""
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for number, stages in enumerate(versions):
        commit(folder, stages, 1_600_000_000 + 3600 * number)
    return folder


KINDS = {"src/prepare.py": "code", "conf/model.yaml": "config", "data/raw.csv": "data"}
CATEGORIES = {"prepare": "data", "split": "data", "train": "model", "evaluate": "evaluation"}


def table_rows(versions=VERSIONS):
    """Return the rows that the published table would have of this repository."""
    rows = []
    for number, stages in enumerate(versions):
        made_by = {out["path"]: name for name, stage in stages.items() for out in stage["outs"]}
        rows.append(
            {
                "repo_id": "r1",
                "history_id": "h1",
                "lock_path": "dvc.lock",
                "v": number,
                "parent_v": number - 1 if number else None,
                "dup": False,
                "author_id": "a1",
                "bot": False,
                "t": 1_600_000_000 + 3600 * number,
                "demo": False,
                "stages": [
                    {
                        "name": name,
                        "cat": CATEGORIES[name],
                        "cmd": " ".join(stage["cmd"].split()[:2]),
                        "cmd_hash": str(abs(hash(stage["cmd"]))),
                        "deps": [
                            [dep["path"], dep["md5"], dep["size"], None, KINDS.get(dep["path"], "up")]
                            for dep in stage["deps"]
                        ],
                        "params": {"train.C": stage["params"]["params.yaml"]["train"]["C"]}
                        if "params" in stage
                        else {},
                        "outs": [[out["path"], out["md5"], out["size"], None] for out in stage["outs"]],
                        "up": sorted(
                            {made_by[dep["path"]] for dep in stage["deps"] if dep["path"] in made_by}
                        ),
                    }
                    for name, stage in stages.items()
                ],
            }
        )
    return rows
