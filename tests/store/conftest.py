"""Makes the helpers beside it importable from the folders below, and opens stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mile_rl.store.catalog import Catalog
from mile_rl.store.store import Store


@pytest.fixture(params=["sqlite3", "sqlalchemy"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a catalog is, for each connector."""
    path = tmp_path / "catalog.db"
    return path if request.param == "sqlite3" else f"sqlite:///{path}"


@pytest.fixture
def catalog(where: Path | str) -> Iterator[Catalog]:
    catalog = Catalog.open(where)
    yield catalog
    catalog.close()


@pytest.fixture
def open_store(catalog: Catalog, tmp_path: Path) -> Callable[..., Store]:
    """Opens the one store of a test, again and again if need be."""

    def opened(budget_bytes: int = 1 << 24, **options: Any) -> Store:
        return Store.open(tmp_path, budget_bytes=budget_bytes, catalog=catalog, **options)

    return opened


@pytest.fixture
def store(open_store: Callable[..., Store]) -> Store:
    return open_store()
