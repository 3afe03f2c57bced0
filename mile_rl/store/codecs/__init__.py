"""Codecs: how an intermediate becomes a file and comes back exactly.

They are tried in the order of :data:`CODECS`; the first that accepts a value and can promise an exact round
trip writes it. Nothing here imports pandas, polars, scipy or scikit-learn before a value needs them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mile_rl.store.codecs.array import ArrayCodec, MemmapCodec
from mile_rl.store.codecs.base import Codec, NotExact, NotStorable, NotValidHere, Refused
from mile_rl.store.codecs.estimator import EstimatorCodec
from mile_rl.store.codecs.frame import FrameCodec
from mile_rl.store.codecs.pickled import PickledCodec
from mile_rl.store.codecs.polar import PolarsCodec
from mile_rl.store.codecs.sparse import SparseCodec

CODECS: tuple[Codec, ...] = (
    ArrayCodec(),
    MemmapCodec(),
    FrameCodec(),
    PolarsCodec(),
    SparseCodec(),
    EstimatorCodec(),
    PickledCodec(),
)

BY_NAME: dict[str, Codec] = {codec.name: codec for codec in CODECS}

__all__ = [
    "BY_NAME",
    "CODECS",
    "Codec",
    "NotExact",
    "NotStorable",
    "NotValidHere",
    "Refused",
    "candidates",
]


def candidates(value: Any) -> Iterator[Codec]:
    """Yield the codecs that accept a value, the most fitting first."""
    return (codec for codec in CODECS if codec.accepts(value))
