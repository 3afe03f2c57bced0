"""Fixtures of the tests of scikit-learn's pipelines as workflows: a project in an empty working directory."""

import pytest


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """The folder of a project that may write as much as it likes; the working directory is in it."""
    (tmp_path / ".mile").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MILE_WRITE_FRACTION", "100")
    monkeypatch.setenv("MILE_WRITE_ALLOWANCE_MS", "10000")
    return tmp_path
