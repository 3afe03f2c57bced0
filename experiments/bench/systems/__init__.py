"""One adapter a system: what a person writes around the same functions to have their results kept."""

from experiments.bench.systems.base import System
from experiments.bench.systems.hamilton_cache import HamiltonCache
from experiments.bench.systems.joblib_memory import JoblibMemory
from experiments.bench.systems.mile import Mile
from experiments.bench.systems.plain import Plain
from experiments.bench.systems.sklearn_memory import SklearnMemory

SYSTEMS: dict[str, System] = {
    system.name: system for system in (Plain(), JoblibMemory(), SklearnMemory(), HamiltonCache(), Mile())
}
"""Name on the command line and in the report -> adapter."""

__all__ = ["SYSTEMS", "System"]
