"""The canonical bytes of arrays, frames and sparse matrices.

Imported only where a value of NumPy, pandas, polars or SciPy is met, so the libraries are loaded by then.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mile_rl.workflows import encode_objects

if TYPE_CHECKING:
    from mile_rl.workflows.encode import Encoder

_SPARSE = {
    "csr": ("data", "indices", "indptr"),
    "csc": ("data", "indices", "indptr"),
    "bsr": ("data", "indices", "indptr"),
    "coo": ("data", "coords"),
    "dia": ("data", "offsets"),
}


def write(encoder: Encoder, value: Any) -> bool:
    """Write a value if it belongs to one of the libraries; return whether it does."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        if isinstance(value, numpy.ndarray) and type(value) in (numpy.ndarray, numpy.memmap):
            _array(encoder, value, numpy)
            return True
        if isinstance(value, numpy.dtype):
            _dtype(encoder, value)
            return True
        if isinstance(value, numpy.generic) and not isinstance(value, numpy.void):
            _numpy_scalar(encoder, value, numpy)
            return True
    pandas = sys.modules.get("pandas")
    # While a library is still being imported its names may be missing.
    if pandas is not None and hasattr(pandas, "DataFrame") and _pandas(encoder, value, pandas):
        return True
    polars = sys.modules.get("polars")
    if polars is not None and hasattr(polars, "DataFrame") and _polars(encoder, value, polars):
        return True
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and hasattr(sparse, "issparse") and _sparse(encoder, value, sparse)


def _dtype(encoder: Encoder, dtype: Any) -> None:
    if dtype.fields is None and dtype.metadata is None and dtype.subdtype is None and dtype.char not in "V":
        encoder.out += b"t"
        encoder.text(dtype.str if dtype.char != "T" else repr(dtype))
        return
    encode_objects.reduced(encoder, dtype)


def _array(encoder: Encoder, array: Any, numpy: Any) -> None:
    encoder.out += b"A"
    encoder.ref(type(array))
    _dtype(encoder, array.dtype)
    encoder.items(b"(", array.shape)
    if array.flags.c_contiguous:
        order, plain = b"C", array
    elif array.flags.f_contiguous:
        order, plain = b"F", array.T
    else:
        # A strided view counts as the array that a copy of it would be.
        copied = array.copy(order="K")
        axes = sorted(range(array.ndim), key=lambda axis: -abs(copied.strides[axis]))
        order, plain = bytes(axes), numpy.ascontiguousarray(copied.transpose(axes))
        order = b"C" if plain.shape == array.shape and axes == list(range(array.ndim)) else order
        order = b"F" if order != b"C" and axes == list(range(array.ndim))[::-1] else order
    encoder.raw(order)
    if plain.dtype.names is not None:
        # Field by field: the bytes between fields are padding, which is not initialised.
        for name in plain.dtype.names:
            _array(encoder, numpy.ascontiguousarray(plain.view(numpy.ndarray)[name]), numpy)
    elif array.dtype.hasobject or array.dtype.char == "T":
        encoder.items(b"[", plain.ravel().tolist())
    else:
        encoder.raw(
            memoryview(plain.view(numpy.ndarray).reshape(-1).view(numpy.uint8)) if plain.size else b""
        )


def _numpy_scalar(encoder: Encoder, scalar: Any, numpy: Any) -> None:
    encoder.out += b"a"
    _dtype(encoder, scalar.dtype)
    if isinstance(scalar, numpy.inexact) and scalar != scalar:
        encoder.out += b"n"
        if isinstance(scalar, numpy.complexfloating):
            encoder.write(complex(scalar))
        return
    if scalar.dtype.char == "g":
        # The padding of extended precision is not initialised.
        encoder.text(repr(scalar))
        return
    encoder.raw(scalar.tobytes())


def _pandas(encoder: Encoder, value: Any, pandas: Any) -> bool:
    extension = pandas.api.extensions
    if isinstance(value, pandas.DataFrame):
        encoder.out += b"D"
        encoder.ref(type(value))
        _index(encoder, value.index, pandas)
        _index(encoder, value.columns, pandas)
        for _, series in value.items():
            _column(encoder, series.array, pandas)
        encoder.write(value.attrs)
        encoder.write(value.flags.allows_duplicate_labels)
        _own_attributes(encoder, value)
    elif isinstance(value, pandas.Series):
        encoder.out += b"d"
        encoder.ref(type(value))
        _index(encoder, value.index, pandas)
        encoder.write(value.name)
        _column(encoder, value.array, pandas)
        encoder.write(value.attrs)
        encoder.write(value.flags.allows_duplicate_labels)
        _own_attributes(encoder, value)
    elif isinstance(value, pandas.Index):
        _index(encoder, value, pandas)
    elif isinstance(value, extension.ExtensionArray):
        encoder.out += b"q"
        encoder.ref(type(value))
        _column(encoder, value, pandas)
    elif value is pandas.NA or value is pandas.NaT:
        encoder.out += b"u"
        encoder.text(repr(value))
    else:
        return False
    return True


def _own_attributes(encoder: Encoder, value: Any) -> None:
    """Write what a subclass of a frame or a series carries besides, as pandas lets it declare."""
    names = [name for name in value._metadata if name not in ("_name", "name")]
    if names:
        encoder.items(b"k", names)
        encoder.items(b"v", [getattr(value, name, None) for name in names])


def _index(encoder: Encoder, index: Any, pandas: Any) -> None:
    encoder.out += b"X"
    encoder.ref(type(index))
    encoder.items(b"(", list(index.names))
    if isinstance(index, pandas.RangeIndex):
        encoder.items(b"(", (index.start, index.stop, index.step))
    elif isinstance(index, pandas.MultiIndex):
        for level in index.levels:
            _index(encoder, level, pandas)
        encoder.items(b"[", [list(codes.tolist()) for codes in index.codes])
    else:
        encoder.text(str(getattr(index, "freqstr", "")))
        _column(encoder, index.array, pandas)


def _column(encoder: Encoder, array: Any, pandas: Any) -> None:
    """Write one column: its dtype, then its values in whichever form is quick and says everything."""
    import numpy

    dtype = array.dtype
    if isinstance(array, pandas.arrays.NumpyExtensionArray) or isinstance(dtype, numpy.dtype):
        plain = numpy.asarray(array)
        if not plain.flags.c_contiguous:
            # A column of a two-dimensional block; where it lies in memory does not count.
            plain = numpy.ascontiguousarray(plain)
        _array(encoder, plain, numpy)
        encoder.text(type(array).__name__)
        encoder.text(str(getattr(array, "freqstr", "")))
        return
    encoder.out += b"o"
    encoder.ref(type(dtype))
    encoder.text(repr(dtype) if not isinstance(dtype, pandas.CategoricalDtype) else "")
    if isinstance(dtype, pandas.CategoricalDtype):
        encoder.write(dtype.ordered)
        _index(encoder, dtype.categories, pandas)
        _array(encoder, numpy.ascontiguousarray(array.codes), numpy)
    elif isinstance(dtype, pandas.DatetimeTZDtype | pandas.PeriodDtype):
        encoder.text(str(getattr(array, "freqstr", "")))
        _array(encoder, numpy.ascontiguousarray(array.asi8), numpy)
    elif hasattr(dtype, "numpy_dtype") and hasattr(array, "_mask"):
        # What lies under the mask is undefined.
        missing = numpy.asarray(array.isna())
        _array(encoder, missing, numpy)
        _array(encoder, array.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0)), numpy)
    elif isinstance(dtype, pandas.StringDtype):
        encoder.items(b"[", array.to_numpy(dtype=object).tolist())
    else:
        encoder.items(b"[", list(array))


def _polars(encoder: Encoder, value: Any, polars: Any) -> bool:
    if isinstance(value, polars.DataFrame):
        encoder.out += b"B"
        encoder.ref(type(value))
        encoder.items(b"(", (value.height, value.width))
        for series in value.get_columns():
            _polars_series(encoder, series, polars)
    elif isinstance(value, polars.Series):
        encoder.out += b"g"
        encoder.ref(type(value))
        _polars_series(encoder, value, polars)
    elif isinstance(value, polars.DataType) or (
        isinstance(value, type) and issubclass(value, polars.DataType)
    ):
        encoder.out += b"z"
        encoder.text(repr(value))
    else:
        return False
    return True


def _polars_series(encoder: Encoder, series: Any, polars: Any) -> None:
    encoder.write(series.name)
    encoder.text(repr(series.dtype))
    if series.dtype.is_numeric() and not series.dtype.is_decimal() and series.null_count() == 0:
        import numpy

        _array(encoder, numpy.ascontiguousarray(series.to_numpy()), numpy)
    elif series.dtype.is_temporal():
        encoder.items(b"[", series.to_physical().to_list())
    else:
        encoder.items(b"[", series.to_list())


def _sparse(encoder: Encoder, value: Any, sparse: Any) -> bool:
    if not sparse.issparse(value) or value.format not in _SPARSE:
        return False
    # Only what makes the matrix: SciPy also caches on it whether its indices are sorted.
    encoder.out += b"M"
    encoder.ref(type(value))
    encoder.items(b"(", value.shape)
    for name in _SPARSE[value.format]:
        encoder.write(getattr(value, name))
    return True
