from __future__ import annotations

import importlib
import itertools
import subprocess
import sys
import sysconfig
import types
from importlib.metadata import version
from pathlib import Path

import pytest
from projects import signed

from mile_rl.workflows import packages
from mile_rl.workflows.packages import Versions, canonical_name, origin, origin_of_module

PROJECT = {
    "wf.py": """
import used_package
from used_package.inner import helper
import unused_package
from mile_rl.workflows.operator import op
def other(): return unused_package
@op
def run(x): return helper(x)
def wf(): return run(1)
"""
}


def install(site: Path, name: str, release: str, *, distribution: str = "", claims: bool = True) -> None:
    (site / name).mkdir(parents=True, exist_ok=True)
    (site / name / "__init__.py").write_text(f"VERSION = {release!r}\n")
    (site / name / "inner.py").write_text("def helper(x): return x\n")
    for old in site.glob(f"{distribution or name}-*.dist-info"):
        for file in old.iterdir():
            file.unlink()
        old.rmdir()
    metadata = site / f"{distribution or name}-{release}.dist-info"
    metadata.mkdir()
    (metadata / "RECORD").write_text(f"{name}/__init__.py,sha256=x,1\n" if claims else "else.py,,\n")


@pytest.fixture
def site(tmp_path, monkeypatch):
    site = tmp_path / "lib" / "site-packages"
    site.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(site))
    yield site
    for name in [name for name in sys.modules if name.startswith(("used_package", "unused_package"))]:
        del sys.modules[name]


_RUNS = itertools.count()


def sign(tmp_path):
    for name in [name for name in sys.modules if name.startswith(("used_package", "unused_package"))]:
        del sys.modules[name]
    importlib.invalidate_caches()
    return signed(tmp_path / f"run{next(_RUNS)}", PROJECT)


def test_the_version_of_a_package_that_the_code_uses_counts(tmp_path, site):
    install(site, "used_package", "1.0")
    install(site, "unused_package", "1.0")
    before = sign(tmp_path)
    assert before.parts["package used_package"] == "1.0"
    assert "package unused_package" not in before.parts
    install(site, "used_package", "1.1")
    after = sign(tmp_path)
    assert after.parts["package used_package"] == "1.1"
    assert after.digest != before.digest


def test_a_package_installed_from_a_folder_counts_by_its_files(tmp_path, site):
    install(site, "unused_package", "1.0")

    def installed(content):
        install(site, "used_package", "1.0")
        metadata = site / "used_package-1.0.dist-info"
        (metadata / "RECORD").write_text(f"used_package/__init__.py,sha256={content},1\n")
        (metadata / "direct_url.json").write_text("{}")
        return sign(tmp_path)

    one, two = installed("one"), installed("two")
    assert one.digest != two.digest == installed("two").digest
    assert one.parts["package used_package"].startswith("1.0 ")


def test_the_version_of_a_package_that_it_does_not_use_does_not_count(tmp_path, site):
    install(site, "used_package", "1.0")
    install(site, "unused_package", "1.0")
    before = sign(tmp_path)
    install(site, "unused_package", "2.0")
    assert sign(tmp_path) == before


def test_the_inside_of_an_installed_package_does_not_count(tmp_path, site):
    install(site, "used_package", "1.0")
    install(site, "unused_package", "1.0")
    before = sign(tmp_path)
    (site / "used_package" / "inner.py").write_text("def helper(x): return x + 1\n")
    assert sign(tmp_path) == before


def test_a_distribution_of_another_name_is_found_by_what_it_says_it_installs(site):
    install(site, "used_package", "3.1", distribution="something_else")
    install(site, "unused_package", "9.9", distribution="nothing", claims=False)
    assert Versions().of("used_package") == "3.1"


def test_a_package_that_nobody_claims_counts_by_content(site):
    install(site, "used_package", "3.1", distribution="other", claims=False)
    before = Versions().of("used_package")
    assert len(before) == 32
    (site / "used_package" / "inner.py").write_text("changed = 1\n")
    assert Versions().of("used_package") != before


def test_a_package_that_is_not_there_is_missing():
    assert Versions().of("no_such_package_anywhere") == "missing"


@pytest.mark.parametrize(
    ("top", "distribution"),
    [
        ("numpy", "numpy"),
        ("sklearn", "scikit-learn"),
        ("pandas", "pandas"),
        ("xxhash", "xxhash"),
        ("scipy", "scipy"),
    ],
)
def test_versions_agree_with_the_metadata(top, distribution):
    assert Versions().of(top) == version(distribution)


def test_a_version_is_the_same_before_and_after_import():
    script = (
        "from mile_rl.workflows.packages import Versions\n"
        "import sys\n"
        "one = Versions().of('scipy'); loaded = 'scipy' in sys.modules\n"
        "import scipy\n"
        "print(one == Versions().of('scipy') == scipy.__version__, loaded)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


def test_whose_code_a_module_is():
    import email.message
    import json

    import numpy

    import mile_rl
    from mile_rl.workflows import dag

    assert origin_of_module(numpy) == origin_of_module(numpy.linalg) == "installed"
    assert origin_of_module(json) == origin_of_module(email.message) == origin_of_module(sys) == "stdlib"
    assert origin_of_module(mile_rl) == origin_of_module(dag) == "installed"
    assert origin_of_module(sys.modules[__name__]) == "own"
    assert origin_of_module(types.ModuleType("typed_in")) == "own"
    assert origin("__main__", None) == "own"


def test_code_in_any_other_folder_is_the_persons_own():
    stdlib = sysconfig.get_paths()["stdlib"]
    assert origin("x", "/home/me/project/x.py") == "own"
    assert origin("x", "/home/me/src/package/x.py") == "own"  # where an editable install lies
    assert origin("x", "/venv/lib/python3.11/site-packages/x.py") == "installed"
    assert origin("x", "/usr/lib/python3/dist-packages/x.py") == "installed"
    assert origin("statistics", f"{stdlib}/statistics.py") == "stdlib"
    assert origin("statistics", "/home/me/project/statistics.py") == "own"


def test_a_script_is_called_as_it_is_when_it_is_imported(tmp_path, monkeypatch):
    main = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert canonical_name("__main__") == ""  # a notebook
    package = tmp_path / "package" / "inner"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (tmp_path / "package" / "__init__.py").touch()
    main.__file__ = str(package / "digits.py")
    assert canonical_name("__main__") == "package.inner.digits"
    main.__file__ = str(tmp_path / "digits.py")
    assert canonical_name("__main__") == "digits"
    main.__spec__ = importlib.machinery.ModuleSpec("tool.__main__", None)
    assert canonical_name("__main__") == "tool"
    assert canonical_name("_mile_random") == "random"
    assert canonical_name("other") == "other"


def test_the_listing_of_packages_is_read_once_a_run(site, monkeypatch):
    install(site, "used_package", "1.0")
    read = []
    listdir = packages.os.listdir
    monkeypatch.setattr(packages.os, "listdir", lambda path: read.append(path) or listdir(path))
    versions = Versions()
    for _ in range(3):
        versions.of("used_package")
        versions.of("numpy")
    assert len(read) == len(set(read))
