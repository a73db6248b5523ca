"""Per-class precision, recall and F1, and the confusion matrix, from pairs of reference and predicted class.

For class c, with TP answers that are c and were read as c, FP read as c but not c, and FN c but read as something else:
precision = TP / (TP + FP), recall = TP / (TP + FN), F1 = 2 TP / (2 TP + FP + FN).
A division of nothing by nothing is undefined and stays `None`: a class never predicted has no precision, not one of 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from segue.model import Json


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class. `support` counts cases whose reference it is, `predicted` answers that were read as it; shares run 0 to 1."""

    label: str
    support: int
    predicted: int
    right: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class ClassReport:
    """All classes of one arm.

    `confusion` maps (reference class, predicted class) to a count; the predicted class is `None` where none could be read.
    Macro means are over the classes for which the figure is defined, and `None` where it is for none.
    """

    classes: tuple[ClassFigures, ...]
    confusion: Mapping[tuple[str, str | None], int]
    n: int
    n_unread: int
    accuracy: float | None
    macro_precision: float | None
    macro_recall: float | None
    macro_f1: float | None

    def as_json(self) -> dict[str, Json]:
        """The JSON shape: classes by name, the confusion matrix as a list of counted pairs."""
        return {
            "n": self.n,
            "n_unread": self.n_unread,
            "accuracy": self.accuracy,
            "macro": {"precision": self.macro_precision, "recall": self.macro_recall, "f1": self.macro_f1},
            "classes": {
                one.label: {
                    "support": one.support,
                    "predicted": one.predicted,
                    "right": one.right,
                    "precision": one.precision,
                    "recall": one.recall,
                    "f1": one.f1,
                }
                for one in self.classes
            },
            "confusion": [
                {"reference": reference, "predicted": predicted, "count": count}
                for (reference, predicted), count in self.confusion.items()
            ],
        }


def summarise_classes(pairs: Iterable[tuple[str, str | None]]) -> ClassReport:
    """Figures of each class from `(reference, predicted)` pairs, read once, in any order.

    Classes are those that occur on either side, in alphabetical order, so that the outcome does not depend on the order.
    """
    confusion = Counter(pairs)
    support: Counter[str] = Counter()
    predicted: Counter[str] = Counter()
    n_unread = 0
    for (reference, read), count in confusion.items():
        support[reference] += count
        if read is None:
            n_unread += count
        else:
            predicted[read] += count
    classes = tuple(_figures(label, support, predicted, confusion) for label in sorted({*support, *predicted}))
    n = sum(support.values())
    return ClassReport(
        classes=classes,
        confusion=dict(sorted(confusion.items(), key=lambda item: (item[0][0], item[0][1] is None, item[0][1] or ""))),
        n=n,
        n_unread=n_unread,
        accuracy=_share(sum(one.right for one in classes), n),
        macro_precision=_mean([one.precision for one in classes]),
        macro_recall=_mean([one.recall for one in classes]),
        macro_f1=_mean([one.f1 for one in classes]),
    )


def _figures(
    label: str, support: Counter[str], predicted: Counter[str], confusion: Counter[tuple[str, str | None]]
) -> ClassFigures:
    right = confusion[label, label]
    return ClassFigures(
        label=label,
        support=support[label],
        predicted=predicted[label],
        right=right,
        precision=_share(right, predicted[label]),
        recall=_share(right, support[label]),
        f1=_share(2 * right, predicted[label] + support[label]),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None
