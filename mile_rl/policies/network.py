"""A trained policy's file: checked before it is trusted, and evaluated.

A chain of dense layers, as the shipped one is, is computed by NumPy: a few microseconds, no import. Any other
network goes to onnxruntime, an extra.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mile_rl.errors import SettingsError
from mile_rl.policies import observation, onnx_file
from mile_rl.policies.appraisal import ExpectedSettings
from mile_rl.policies.errors import PolicyRefused

Array = npt.NDArray[np.float32]

FORMAT: Final = "1"
ACTION_FORM: Final = "log-multiplier"
"""multiplier of the expected saving = exp(action_scale x action), action in -1 … 1."""

LARGEST_SCALE: Final = 5.0

INPUT: Final = "observation"
OUTPUT: Final = "action"


def features_digest() -> str:
    """Return the digest of the features' names in their order."""
    return hashlib.blake2b("\n".join(observation.NAMES).encode(), digest_size=8).hexdigest()


def file_metadata(*, action_scale: float, settings: ExpectedSettings, training_digest: str) -> dict[str, str]:
    """Return what a policy's file has to say of itself, as training writes it.

    Args:
        action_scale: by how much an action of 1 raises the logarithm of the worth.
        settings: the constants of the expected saving that it was trained on.
        training_digest: hex digest of what it was trained on and with.
    """
    return {
        "mile_rl.format": FORMAT,
        "mile_rl.observation_schema": str(observation.SCHEMA),
        "mile_rl.observation_features": features_digest(),
        "mile_rl.action_form": ACTION_FORM,
        "mile_rl.action_scale": repr(action_scale),
        "mile_rl.expected_settings": json.dumps(asdict(settings), sort_keys=True),
        "mile_rl.training_digest": training_digest,
    }


class Network:
    """A trained policy's network.

    Args:
        path: its ONNX file.

    Raises:
        PolicyRefused: the file cannot be read, or was made for other features, another form of action or
            another version; or its network needs onnxruntime, which is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._content = path.read_bytes()
        except OSError as error:
            raise PolicyRefused(
                f"the policy file {path} cannot be read ({error.strerror}); name an existing one, as in "
                "--policy learned:FILE.onnx, or choose another policy: `mile policies` lists them."
            ) from None
        try:
            said = onnx_file.metadata(self._content)
        except onnx_file.NotOnnx as error:
            raise PolicyRefused(f"{path} is not an ONNX file: {error}.") from None
        self.scale, self.settings, self.training_digest = self._checked(said)
        self._run: Callable[[Array], Array] | None = _dense(self._content)
        if self._run is None and find_spec("onnxruntime") is None:
            raise PolicyRefused(
                f"the network in {path} is more than a chain of dense layers and needs onnxruntime: "
                "pip install 'mile-rl[learned]'."
            )

    @property
    def in_numpy(self) -> bool:
        """Whether NumPy suffices to compute it."""
        return self._run is not None and not isinstance(self._run, _Session)

    def multiplier(self, features: Array) -> float:
        """Return what the worth of a candidate is to be multiplied by.

        Args:
            features: float32[observation.SIZE].

        Raises:
            PolicyRefused: the network does not take these features, or does not answer with one number.
        """
        if self._run is None:
            self._run = _Session(self._content)
        try:
            action = np.asarray(self._run(features[None]), dtype=np.float64).ravel()
        except Exception as error:
            raise PolicyRefused(f"the network in {self.path} cannot be computed: {error}") from error
        if action.size != 1 or not np.isfinite(action[0]):
            raise PolicyRefused(
                f"the network in {self.path} answers {action.tolist()[:4]}, not one number; export it again."
            )
        return float(np.exp(self.scale * min(max(action[0], -1.0), 1.0)))

    def _checked(self, said: Mapping[str, str]) -> tuple[float, ExpectedSettings, str]:
        wanted = file_metadata(action_scale=1.0, settings=ExpectedSettings(), training_digest="")
        for key, what in (
            ("format", "format"),
            ("observation_schema", "observation schema"),
            ("observation_features", "list of features"),
            ("action_form", "action form"),
        ):
            value, own = said.get(f"mile_rl.{key}"), wanted[f"mile_rl.{key}"]
            if value != own:
                told = f"has {what} {value!r}" if value is not None else f"says nothing of its {what}"
                raise self._refusal(f"it {told}, and this version of MILE-RL reads {own!r}")
        digest = said.get("mile_rl.training_digest", "")
        if not digest or not set(digest) <= set("0123456789abcdef"):
            raise self._refusal(f"its training digest is {digest!r}, so nobody knows what it was trained on")
        try:
            scale = float(said.get("mile_rl.action_scale", ""))
            settings = ExpectedSettings(**json.loads(said.get("mile_rl.expected_settings", "")))
        except (ValueError, TypeError, SettingsError) as error:
            raise self._refusal(f"its action scale or constants cannot be used ({error})") from None
        if not 0 <= scale <= LARGEST_SCALE:
            raise self._refusal(f"its action scale is {scale}; 0 to {LARGEST_SCALE} is expected")
        return scale, settings, digest

    def _refusal(self, why: str) -> PolicyRefused:
        return PolicyRefused(
            f"the policy file {self.path} is refused: {why}. Train it again (`python -m experiments.train`), "
            "or choose another policy: `mile policies` lists them."
        )


class _Session:
    """onnxruntime, on one thread: a decision is too small to share out, and operators want the cores."""

    def __init__(self, content: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def __call__(self, features: Array) -> Array:
        answer: Any = self._session.run([OUTPUT], {INPUT: features})[0]
        return np.asarray(answer, dtype=np.float32)


_ARITHMETIC: Final[Mapping[str, Callable[..., Array]]] = {
    "Add": np.add,
    "Identity": lambda x: x,
    "MatMul": np.matmul,
    "Relu": lambda x: np.maximum(x, np.float32(0)),
    "Tanh": np.tanh,
}


def _dense(content: bytes) -> Callable[[Array], Array] | None:
    """Return how to compute a chain of dense layers in NumPy, None where it is anything else."""
    try:
        graph = onnx_file.graph(content)
    except onnx_file.NotOnnx:
        return None
    if graph.inputs != (INPUT,) or graph.outputs != (OUTPUT,):
        return None
    steps: list[tuple[Callable[..., Array], tuple[str, ...], str]] = []
    known = {INPUT, "", *graph.weights}
    for step in graph.steps:
        function = _function(step)
        if function is None or len(step.outputs) != 1 or not known.issuperset(step.inputs):
            return None
        known.add(step.outputs[0])
        steps.append((function, step.inputs, step.outputs[0]))
    if OUTPUT not in known:
        return None

    def run(features: Array) -> Array:
        values: dict[str, Array | None] = {"": None, **graph.weights, INPUT: features}
        for function, inputs, output in steps:
            values[output] = function(*[values[name] for name in inputs])
        answer = values[OUTPUT]
        assert answer is not None
        return answer

    return run


def _function(step: onnx_file.Step) -> Callable[..., Array] | None:
    """Return what computes one step, None for what is not known here."""
    attributes = dict(step.attributes)
    if step.kind == "Gemm":
        transposed = attributes.pop("transB", 0.0)
        plain = {"transA": 0.0, "alpha": 1.0, "beta": 1.0}
        if any(plain.get(name) != value for name, value in attributes.items()) or transposed not in (0, 1):
            return None
        return _gemm_transposed if transposed else _gemm
    if step.kind == "Clip" and not attributes:
        return _clip
    return _ARITHMETIC.get(step.kind) if not attributes else None


def _gemm(x: Array, weight: Array, bias: Array | None = None) -> Array:
    product: Array = x @ weight
    return product if bias is None else product + bias


def _gemm_transposed(x: Array, weight: Array, bias: Array | None = None) -> Array:
    return _gemm(x, weight.T, bias)


def _clip(x: Array, low: Array | None = None, high: Array | None = None) -> Array:
    if low is not None:
        x = np.maximum(x, low)
    return x if high is None else np.minimum(x, high)
