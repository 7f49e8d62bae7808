"""Buy answers one by one, from any model of a list, as long as that is worth its price; give the likeliest one.

The objective and how it is learned stand in ``docs/cascade.md``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from groat.errors import ArtifactError
from groat.validation.cascade_evidence import MAX_BOUGHT, VERSION, Bought, Offer, Task
from groat.validation.cascade_model import GroupModel, Weighed, group_of_raw
from groat.validation.cascade_table import Numbers, table

SEEN_DIGITS = 8
"""Hexadecimal digits by which a fitted question is known: two of 4,000 questions share them with a chance of 0.2 %."""

CONFIDENCE = 0.5
"""How sure a promise is unless more is asked for, one-sided: 0.5 keeps it on average over questions like those fitted on."""


def group_of(task: Task, reference: str) -> str:
    """Return the name of the questions that are judged alike: what is asked, in which language, instead of which model."""
    return f"{task.kind}/{task.language}/{reference}"


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What the answers bought so far say."""

    given: str
    """The model whose answer would be given now; empty when nothing was bought."""
    p_right: float
    """Probability that it is right, 0..1; 0 when nothing was bought."""
    bought: int
    group: str
    """The questions that it was compared with; empty when nothing like it was measured."""
    weighed: Weighed | None
    costs: Numbers
    """Expected cost of asking each model of the group, in typical calls of the reference model; infinite for no offer."""


@dataclass(frozen=True, kw_only=True)
class CascadePolicy:
    """Decides after each bought answer whether to give one of them or to ask another model, and which."""

    version: str
    groups: Mapping[str, GroupModel]
    joined: Mapping[str, str]
    """Groups with few questions, and the group that they were fitted and measured with."""
    seen: frozenset[str]
    """Beginnings of the hashes of the questions that were fitted on."""
    card: Mapping[str, object]

    @classmethod
    def load(cls, path: Path | None = None) -> "CascadePolicy":
        """Read the artifact that the package carries, or one of your own.

        Raises:
            ArtifactError: it is damaged, or was made for other evidence.
        """
        try:
            text = (path or resources.files("groat.validation").joinpath("cascade.json")).read_text(encoding="utf-8")
            return cls.of(json.loads(text))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError("the cascade's artifact cannot be read; reinstall groat or fit it again") from error

    @classmethod
    def of(cls, raw: Mapping[str, object]) -> "CascadePolicy":
        """Build the policy from the JSON form of an artifact.

        Raises:
            ArtifactError: it was made for other evidence, or holds no group.
        """
        if raw["evidence"] != VERSION:
            raise ArtifactError(f"the cascade was fitted on evidence {raw['evidence']!r} and this is {VERSION!r}; fit it again")
        groups, joined, card, seen = raw["groups"], raw["joined"], raw["card"], raw["seen"]
        if not isinstance(groups, dict) or not groups or not isinstance(joined, dict):
            raise ArtifactError("the cascade's artifact holds no group of questions; fit it again")
        if not isinstance(card, dict) or not isinstance(seen, list):
            raise ArtifactError("the cascade's artifact does not say what it was fitted on; fit it again")
        return cls(
            version=str(raw["version"]),
            groups={name: group_of_raw(one) for name, one in groups.items()},
            joined=joined,
            seen=frozenset(seen),
            card=card,
        )

    def has_seen(self, question: str) -> bool:
        """Tell whether a question, by its hash, was fitted on: a result on it is then in-sample."""
        return question[:SEEN_DIGITS] in self.seen

    def rate(self, task: Task, *, reference: str, quality: float, confidence: float = CONFIDENCE) -> float | None:
        """Return what a call must bring under a promise, None when no measured rate keeps it.

        The rate is the least gain in quality for which one typical call of the reference model is spent. Nothing is promised
        for a group that was not fitted on: what was learned elsewhere broke its promises on sources left out.

        Args:
            task: the question.
            reference: the model that everything is compared with.
            quality: least quality promised, as a share of the reference model's, 0..1.
            confidence: how sure the promise must be, 0.5 to 0.95; 0.5 keeps it on average.
        """
        group = self._group(task, reference)
        return self.groups[group].rate(quality, confidence) if group else None

    def reason(self, task: Task, *, reference: str, quality: float, confidence: float = CONFIDENCE) -> str:
        """Return why the reference model is asked and nothing else considered; empty when ``rate`` found a rate."""
        group = self._group(task, reference)
        if not group:
            return f"too few questions like it were measured: {group_of(task, reference)}"
        if self.groups[group].rate(quality, confidence) is None:
            promise = f"{quality:.1%} of the quality with confidence {confidence:g}"
            return f"no measured rate keeps {promise} and saves anything: {group}"
        return ""

    def assess(self, task: Task, bought: Sequence[Bought], *, offers: Mapping[str, Offer], reference: str) -> Assessment:
        """Return what the answers so far say. Pure; about 1 ms.

        Args:
            task: the question.
            bought: the answers so far, under the names of the offers, in any order.
            offers: by name, who can be asked at what price, those bought and the reference model included.
            reference: the model that everything is compared with.
        """
        group = self._group(task, reference)
        if not group:
            last = bought[-1].model if bought else ""
            return Assessment(given=last, p_right=0.0, bought=len(bought), group="", weighed=None, costs=np.zeros(0))
        model = self.groups[group]
        by_name = {one.model: one for one in bought}
        found = table([(task, [by_name.get(name) for name in model.models])])
        weighed = model.weigh(found, tuple(place for place, name in enumerate(model.models) if name in by_name))
        return Assessment(
            given=model.models[int(weighed.place[0])] if weighed.state else "",
            p_right=float(weighed.p_right[0]),
            bought=len(bought),
            group=group,
            weighed=weighed,
            costs=model.costs(task, offers, weighed.out_tokens[0]),
        )

    def next_call(self, found: Assessment, *, rate: float | None, reference: str) -> str | None:
        """Return the model to ask next, None to give the answer that ``found`` names.

        Args:
            found: what ``assess`` returned.
            rate: what ``CascadePolicy.rate`` returned; None asks the reference model and gives its answer.
            reference: the model that everything is compared with.
        """
        if rate is None or found.weighed is None:
            return None if found.bought else reference
        model = self.groups[found.group]
        gains = model.gains(found.weighed, rate, found.costs)
        best = int(gains.argmax())
        if not found.bought:
            return model.models[best] if gains[best] > -np.inf else reference
        return model.models[best] if found.bought < MAX_BOUGHT and gains[best] > 0 else None

    def _group(self, task: Task, reference: str) -> str:
        name = group_of(task, reference)
        name = self.joined.get(name, name)
        return name if name in self.groups else ""
