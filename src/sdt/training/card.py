"""Writes the model card: data, licence, settings, scores and limits of a trained model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from sdt.corpus.store import Corpus
from sdt.escaping import markdown_code, markdown_table, markdown_text
from sdt.evaluation.metrics import measure
from sdt.evaluation.remarks import Remark
from sdt.evaluation.scores import Scores, caveat
from sdt.evaluation.table import class_cells, metric_cells, metric_columns
from sdt.models.base import Model
from sdt.models.config import FUSED
from sdt.models.registry import SDT_NAME, label_of
from sdt.training.recipe import flat
from sdt.training.schema import find_setting
from sdt.training.settings import Recipe, parse_averaging


def model_card(
    model: Model,
    recipe: Recipe,
    corpus: Corpus,
    scores: Mapping[str, Mapping[str, Scores]],
    surroundings: Mapping[str, Any],
    seconds: float,
    remarks: Sequence[Remark] = (),
) -> str:
    """Write the README.md of a model folder.

    Names of labels, corpora and encoders are escaped for Markdown and HTML.

    Args:
        model: The trained model, with the provenance in its configuration.
        recipe: The recipe of the run.
        corpus: The corpus that the model was trained on.
        scores: Split to classifier to scores, with the selected parameters.
        surroundings: See `environment.environment`.
        seconds: The time for training and for selecting the epoch.
        remarks: Remarks on unusual scores.

    Returns:
        The text, in Markdown.
    """
    config = model.config
    note = caveat(config.provenance)
    text = markdown_text
    parts = [
        _front_matter(model, corpus),
        f"# {text(model.display_name())} on {text(corpus.name)}",
        f"This model predicts the emotion of every utterance of a conversation ({_listed(config.labels)}) from "
        f"{_listed(config.modalities)}. Its architecture is {text(model.display_name())}"
        f"{model.source and f': {text(model.source)}'}.",
        *(
            [f"**{note[0].upper()}{note[1:]}: the scores are biased upwards; do not compare them with unbiased ones.**"]
            if note
            else []
        ),
        "## Scores",
        *[part for split, by_name in scores.items() for part in _split(split, _trained(model, by_name), note)],
        _bullets(text(f"{remark.text[0].upper()}{remark.text[1:]}.") for remark in remarks),
        "## Use",
        _use(model),
        "## Training",
        _facts(model, recipe, corpus, surroundings, seconds),
        "Settings that differ from the defaults:",
        _bullets(
            f"{markdown_code(key)}: {text(str(value))}"
            for key, value in flat(recipe).items()
            if key not in ("corpus", "output", "seed") and not _is_default(key, value)
        ),
        "## Limits",
        _limits(model, corpus),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(markdown_text, names))


def _trained(model: Model, scores: Mapping[str, Scores]) -> dict[str, Scores]:
    """The scores of the classifiers that were trained."""
    branches = {"hard", "soft"} & set(model.trained_terms)
    return {name: of for name, of in scores.items() if name == FUSED or branches}


def _use(model: Model) -> str:
    """A few lines of Python; a custom model needs its code."""
    label = label_of(type(model))
    name = "SDT" if label == SDT_NAME else "Model"
    own = f'find("{label}")\n' if ":" in label else ""
    imported = "from sdt.models.registry import find\n" if own else ""
    return f"""```python
from sdt import {", ".join(sorted((name, "Corpus"), key=lambda it: (not it.isupper(), it)))}
from sdt.evaluation.outputs import run_model
{imported}
{own}model, corpus = {name}.from_pretrained("FOLDER OF THIS CARD"), Corpus.open("CORPUS FOLDER")
print(next(run_model(model, corpus, corpus.split("test")).predictions(model.config)))
```"""


def _is_default(key: str, value: object) -> bool:
    setting = find_setting(key)
    return setting is not None and value == setting.default


def _front_matter(model: Model, corpus: Corpus) -> str:
    values = {
        **({"language": list(model.config.languages)} if model.config.languages else {}),
        "license": "other",
        "license_name": corpus.licence,
        "library_name": "sdt-erc",
        "pipeline_tag": "text-classification",
        "tags": ["emotion-recognition-in-conversations", "multimodal", *_tags(model)],
        "datasets": [re.sub(r"[^A-Za-z0-9._-]+", "-", corpus.name)],
    }
    return f"---\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}---"


def _tags(model: Model) -> list[str]:
    label = label_of(type(model))
    distilled = ["self-distillation"] if "soft" in model.trained_terms else []
    return [*distilled, label.rpartition(":")[2]]


def _split(split: str, scores: Mapping[str, Scores], note: str | None) -> list[str]:
    """The tables of one split."""
    title = f"### {split}" + (f" ({note})" if note else "")
    fused = scores[FUSED]
    by_classifier = markdown_table(metric_columns(), [(name, *metric_cells(of)) for name, of in scores.items()])
    by_class = markdown_table(
        ("class (fused)", "precision", "recall", "F1", "support"),
        [(label, *class_cells(of)) for label, of in fused.classes.items()],
    )
    return [title, f"{fused.utterances} utterances; percent.", by_classifier, by_class]


def _facts(model: Model, recipe: Recipe, corpus: Corpus, surroundings: Mapping[str, Any], seconds: float) -> str:
    selected = {
        "validation": f"by the {measure(recipe.training.selection).title} on dev; test was not used for the selection",
        "published": "on test (protocol 'published'), as in the published results of SDT; trained on train and dev",
    }[recipe.training.protocol]
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return _bullets(
        [
            f"Corpus: {markdown_text(corpus.name)}, licence {markdown_text(corpus.licence)}, fingerprint "
            f"`{corpus.fingerprint}`",
            "Features: "
            + ", ".join(
                f"{markdown_text(m)} [{w}] by {markdown_code(model.config.encoders[m])}"
                for m, w in model.config.modalities.items()
            ),
            f"Protocol `{recipe.training.protocol}`: epoch {model.config.provenance['epoch']} selected {selected}",
            *_averaging(model),
            *_calibration(model),
            f"Seed {recipe.seed}; {parameters:,} parameters",
            f"{surroundings['started'][:10]}, {_duration(seconds)} on {_hardware(surroundings)}; torch "
            f"{surroundings['torch']}, sdt {surroundings['sdt']}",
            *([f"Command: {markdown_code(surroundings['command'])}"] if surroundings["command"] else []),
        ]
    )


def _hardware(surroundings: Mapping[str, Any]) -> str:
    count = surroundings.get("processes", 1)
    several = f"{count} processes ({surroundings['backend']}), each on " if count > 1 else ""
    return markdown_text(f"{several}{surroundings['hardware']}")


def _averaging(model: Model) -> list[str]:
    """The weight averaging of the run; see `sdt.training.averaging`."""
    match parse_averaging(model.config.provenance.get("averaging", "none")):
        case ("ema", decay):
            return [f"Weights: exponential moving average over the steps with decay {decay:g}"]
        case ("last", count):
            return [f"Weights: mean over the last {count:g} epochs up to the selected one"]
    return []


def _calibration(model: Model) -> list[str]:
    temperatures = model.config.temperatures
    shown = ", ".join(f"{markdown_text(name)} {temperature:.2f}" for name, temperature in temperatures.items())
    return [f"Temperatures, calibrated on dev: {shown}"] if shown else []


def _limits(model: Model, corpus: Corpus) -> str:
    config = model.config
    speakers = (
        f"It was trained with the corpus' {config.speakers.count} speakers, by name; all others are unknown to it."
        if config.speakers.mode == "identity"
        else "Speakers are numbered by their order of appearance, so speakers not seen in training are supported."
    )
    return _bullets(
        [
            "The model needs the features of the encoders above; other features of the same width give meaningless "
            "predictions.",
            f"It was trained on {markdown_text(corpus.name)} alone; expect lower scores on other languages, cultures "
            "and recordings.",
            "The labels are the annotators' perception, not what the speakers felt; do not base decisions about people "
            "on its predictions.",
            speakers,
            *_context(model),
            "The scores are those of one seed, without an interval; they differ for other seeds and test sets.",
        ]
    )


def _context(model: Model) -> list[str]:
    """The context of a causal model."""
    if not model.attention_context.causal:
        return []
    context = model.attention_context
    earlier = "all earlier ones" if context.window is None else f"the {context.window - 1} before it"
    return [
        f"An utterance attends to itself and {earlier}, not to later ones, so a prediction in a live conversation is "
        "final."
    ]


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
