"""The packages of the wheel. All else stands in pyproject.toml, which cannot both find packages and map one.

The folder examples/ ships inside the package, as ``mile_rl.examples``, so that ``mile demo`` finds it.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["mile_rl", "mile_rl.*"]), "mile_rl.examples"],
    package_dir={"mile_rl.examples": "examples"},
)
