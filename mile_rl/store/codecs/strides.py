"""Arrays whose memory is not simply contiguous: what to store, and how to lay it out again.

Results of BLAS and of reductions may depend on strides in the last bit, so a loaded array has the strides
that the stored one had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def contiguous_strides(shape: tuple[int, ...], itemsize: int, order: str) -> tuple[int, ...]:
    """Return the strides that a fresh array of this shape has.

    Args:
        shape: of the array.
        itemsize: bytes an element.
        order: "C" or "F".
    """
    strides = []
    step = itemsize
    for length in reversed(shape) if order == "C" else shape:
        strides.append(step)
        step *= max(length, 1)
    return tuple(reversed(strides)) if order == "C" else tuple(strides)


def order_of(array: np.ndarray[Any, Any]) -> str | None:
    """Return "C" or "F" where the array's strides are those of a fresh one, else None.

    NumPy's own flags are too kind here: they overlook the strides of axes of length one. An empty array has
    no memory to lay out and counts as C.
    """
    if array.size == 0:
        return "C"
    for order in ("C", "F"):
        if array.strides == contiguous_strides(array.shape, array.itemsize, order):
            return order
    return None


def raw(array: np.ndarray[Any, Any]) -> memoryview:
    """Return the memory of an array for which :func:`order_of` is not None, as bytes, without a copy."""
    import numpy as np

    flat: Any = (array if order_of(array) == "C" else array.T).reshape(-1)
    return memoryview(flat.view(np.ndarray).view(np.uint8))


def compact(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a C-contiguous copy of the distinct elements: a broadcast axis (stride 0) has length one."""
    import numpy as np

    # The dots keep an array without axes an array: its one element would be a scalar, and a copy of one that is
    # read-only is read-only.
    index = (..., *(slice(0, 1) if stride == 0 else slice(None) for stride in array.strides))
    return np.array(array[index], order="C", copy=True, subok=False)


def spread(
    elements: np.ndarray[Any, Any],
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    misaligned_bytes: int,
    writeable: bool,
) -> np.ndarray[Any, Any]:
    """Lay elements out in fresh memory with given strides; the inverse of :func:`compact`.

    Args:
        elements: what :func:`compact` gave.
        shape: of the array to return.
        strides: in bytes; may be negative or zero.
        misaligned_bytes: how far the first element stands off its natural alignment.
        writeable: whether the array may be changed.
    """
    import numpy as np

    reach = [(length - 1) * stride for length, stride in zip(shape, strides)]
    start = -sum(step for step in reach if step < 0)
    extent = start + sum(step for step in reach if step > 0) + elements.itemsize
    if elements.dtype.hasobject:
        memory = np.empty(-(-extent // elements.itemsize), dtype=elements.dtype)
    else:
        memory = np.empty(extent + misaligned_bytes, dtype=np.uint8)
    array: np.ndarray[Any, Any] = np.ndarray(
        shape, elements.dtype, memory, offset=start + misaligned_bytes, strides=strides
    )
    index = tuple(slice(0, 1) if stride == 0 else slice(None) for stride in strides)
    array[index] = elements
    array.flags.writeable = writeable
    return array
