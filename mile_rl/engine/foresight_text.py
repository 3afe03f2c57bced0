"""A prediction in words: what will probably be changed next, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mile_rl.engine.text import edits_in_words
from mile_rl.workflows.edits import ChangeClass

if TYPE_CHECKING:
    from mile_rl.engine.foresight import Foresight
    from mile_rl.prediction.base import ParameterGuess

CHANGES = {
    ChangeClass.NOTHING: "run it again without an edit",
    ChangeClass.RETURN: "go back to an earlier version",
    ChangeClass.MODEL: "change what learns: an operator, its code or its data",
    ChangeClass.PREPROCESS: "change the preprocessing: an operator, its code or its data",
    ChangeClass.MODEL_PARAMETER: "change parameters of what learns",
    ChangeClass.PREPROCESS_PARAMETER: "change parameters of the preprocessing",
    ChangeClass.COMBINATION: "change preprocessing and learning together",
    ChangeClass.EVALUATE: "change only the evaluation",
}

ENOUGH = 5
"""From so many own edits on, the model card shows the model to be better for them, on every source."""

CALIBRATION_POINTS = 7
"""How far the chance of the likeliest change and the share that came true lay apart, in percentage points: the
worst expected calibration error in docs/model_card_prediction.md, rounded up. A test compares the two."""

_LEAST = 0.005
_LONGEST_VALUE = 40


def foresight_text(foresight: Foresight, *, top: int) -> str:
    """Return a prediction as text.

    Args:
        foresight: what to tell.
        top: how many nodes and earlier iterations are named.
    """
    from mile_rl.engine.foresight import ranked

    said = foresight.prediction
    lines = [_title(foresight)]
    if foresight.pending:
        lines.append("counted as changed, though not run yet:")
        lines.extend(f"  {words}" for words in edits_in_words(foresight.pending))
    lines += ["", "what will probably be done next, if anything is"]
    lines += [f"{percent(p)}  {CHANGES[change]}" for change, p in ranked(said.classes) if p >= _LEAST]
    lines += ["", "nodes that this will probably touch"]
    lines += [f"{percent(p)}  {name} ({foresight.stages[name]})" for name, p in ranked(said.touched)[:top]]
    if said.parameters:
        lines += ["", "parameters that will probably move"]
        lines += [line for guess in said.parameters for line in _parameter(foresight, guess)]
    if foresight.returns:
        lines += ["", "where it may go back to"]
        lines += [f"{percent(p)}  iteration {number}" for number, p in foresight.returns[:top]]
    lines += ["", f"{percent(said.stop)}  that nothing more is done", "", *_sure(foresight)]
    return "\n".join(lines)


def percent(chance: float) -> str:
    """Return a probability in percent, right-aligned.

    Example:
        >>> percent(0.463), percent(0.0004)
        (' 46 %', ' <1 %')
    """
    return f"{'<1' if chance < _LEAST else f'{100 * chance:.0f}':>3} %"


def _title(foresight: Foresight) -> str:
    if foresight.latest is None:
        return f"{foresight.workflow}  not run yet"
    return f"{foresight.workflow}  after iteration {foresight.latest}"


def _parameter(foresight: Foresight, guess: ParameterGuess) -> list[str]:
    now = _shown(foresight.values[guess.node][guess.parameter])
    lines = [f"{percent(guess.probability)}  {guess.parameter} of {guess.node}, now {now}"]
    lines += [f"       {percent(one.probability)}  to {_shown(one.value)}: {one.why}" for one in guess.values]
    return lines


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _sure(foresight: Foresight) -> list[str]:
    """Return how sure the prediction is and on what it rests; it promises only what the model card measured."""
    from mile_rl.prediction.model import entropy_bits

    seen = foresight.prediction.edits_seen
    choices = 2 ** entropy_bits(foresight.prediction.classes)
    lines = [f"how sure: as unsure as among {choices:.1f} equally likely changes."]
    if not seen:
        lines.append(
            "It knows no edits of yours yet: this is what people did in the public histories it was fitted on."
        )
    elif seen < ENOUGH:
        lines.append(f"It knows {_edits(foresight)}; from about {ENOUGH} on it predicts clearly better.")
    else:
        tenths = min(max(round(10 * foresight.likeliest[1]), 1), 9)  # never certain
        lines.append(
            f"It knows {_edits(foresight)}. In the public histories that it was judged on, about {tenths} in 10 "
            f"first guesses as sure as this one came true (to within {CALIBRATION_POINTS} points on average)."
        )
    if count := foresight.looped:
        lines.append(
            f"Not among them: {count} of the {foresight.iterations} iterations read, as "
            f"{'they' if count > 1 else 'it'} followed the one before within 5 s, as a loop's do."
        )
    return lines


def _edits(foresight: Foresight) -> str:
    count = foresight.prediction.edits_seen
    where = ", those in the project's other workflows included" if foresight.elsewhere else ""
    return f"{count} edit{'s' if count > 1 else ''} of yours{where}"
