"""Results of an experiment as tables and as a Markdown page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from sdt.escaping import markdown_code, markdown_command, markdown_paragraph, markdown_text
from sdt.evaluation.metrics import MAIN, measure, metrics
from sdt.evaluation.seed_tests import FEW_SEEDS
from sdt.evaluation.table import Grid
from sdt.evaluation.verdict import ALPHA, FEW_SEEDS_NOTE, corrected_for, interval_text, p_value
from sdt.experiments.plan import format_seeds, option_text
from sdt.training.test_monitor import CAVEAT

if TYPE_CHECKING:
    from sdt.evaluation.remarks import Remark
    from sdt.evaluation.seeds import Spread
    from sdt.evaluation.significance import Comparison
    from sdt.experiments.results import Measured, Results, RowResult


class Outcome(Protocol):
    """Results with rows and comparisons: those of an experiment, or of runs given by the user."""

    @property
    def rows(self) -> Sequence[RowResult]:
        """The rows with a finished run."""

    @property
    def reference(self) -> RowResult | None:
        """The row with which the others are compared, if it has a finished run."""

    @property
    def comparisons(self) -> Sequence[Comparison]:
        """Comparisons of each other row with the reference."""


def overview(results: Results) -> Iterator[Grid]:
    """Yield the tables for a terminal: the scores of a single row, or of all rows."""
    if results.pooled:
        yield results.pooled.table()
        return
    if len(results.plan.rows) == 1:
        yield from details(results, results.rows[0])
        return
    yield _scores(results)
    if any(row.test_selection_gain for row in results.rows):
        yield _test_selection(results)
    if results.comparisons:
        yield _differences(results)


def details(results: Results, row: RowResult) -> Iterator[Grid]:
    """Yield tables of every measure and class of one row: mean, standard deviation, minimum and maximum."""
    measured = row.measured(results.split)
    if measured:
        yield Grid(
            f"{row.name}: {_title(results, row)}",
            ("measure or class", "mean ± sd", "min", "max"),
            [(_name(name), *_cells(row, results.split, measured, name)) for name in measured],
        )
    chosen, gain = row.chosen_on_test, row.test_selection_gain
    if chosen and gain:
        yield Grid(
            f"{row.name}, the same runs: {CAVEAT}",
            ("measure or class", "mean ± sd", "min", "max", "test-selection gain"),
            [(_name(m), *_cells(row, "test", chosen, m), measure_text(row, "test", gain, m, "+")) for m in chosen],
        )


def conclusions(results: Outcome) -> Iterator[str]:
    """Yield conclusions of the tables, and notes."""
    row = results.reference or results.rows[0]
    folds = getattr(results, "pooled", None) is not None  # the first row is one of several test sets
    if (gain := row.test_selection_gain) and not folds:
        runs = "1 run" if row.group.size == 1 else f"mean ± standard deviation over {row.group.size} runs"
        yield (
            f"The test-selection gain of {row.name} (epoch selected on test instead of dev) is "
            f"{score_text(row, gain[MAIN], '+')} points of weighted F1 ({runs})."
        )
    if results.comparisons:
        differences = [comparison.differences[MAIN] for comparison in results.comparisons]
        significant, unknown = sum(of.significant for of in differences), [of for of in differences if of.p is None]
        if len(unknown) < len(differences):
            yield (
                f"{significant} of {len(differences) - len(unknown)} differences in weighted F1 are significant with "
                f"respect to the test set (bootstrap over conversations, p < {ALPHA} after Holm's correction)."
            )
        if unknown:
            yield f"{len(unknown)} differences in weighted F1 have no p-value: {unknown[0].note}."
    notes = [set(comparison.notes) for comparison in results.comparisons]
    common = sorted(set.intersection(*notes) if notes else ())
    if min(row.group.size for row in results.rows) < FEW_SEEDS and not any(FEW_SEEDS_NOTE in note for note in common):
        yield f"note: {FEW_SEEDS_NOTE} {FEW_SEEDS} runs of each row"
    yield from (f"note: {remark.text}" for remark in remarks(results.rows))
    for row in results.rows:
        if row.missing:
            yield f"note: {row.name}: runs of the seeds {format_seeds(row.missing)} are missing"
    yield from (f"note: {note}" for note in common)


def remarks(rows: Sequence[RowResult]) -> list[Remark]:
    """The remarks on the scores of rows; common ones are listed once."""
    return list({remark.text: remark for row in rows for remark in row.group.remarks}.values())


def page(results: Results) -> str:
    """Create the content of results.md."""
    plan = results.plan
    rows = Grid(
        "Rows",
        ("row", "settings that differ from the recipe"),
        [(row.name, ", ".join(f"{k}: {option_text(v)}" for k, v in row.overrides.items()) or "-") for row in plan.rows],
    )
    surroundings = results.header.get("environment", {})
    corpus, sha = surroundings.get("corpus_name"), str(surroundings.get("corpus_sha256"))
    facts = [
        f"Corpus: {markdown_text(str(corpus))}, fingerprint {markdown_code(sha)}.",
        f"Recipe: {markdown_code(str(plan.recipe_file))}; seeds {format_seeds(plan.seeds)}; {_threads(plan.threads)} "
        f"per run. {markdown_text(str(surroundings.get('hardware')))}; torch {surroundings.get('torch')}, sdt "
        f"{surroundings.get('sdt')}; {str(surroundings.get('started'))[:10]}.",
    ]
    grids = [*overview(results)]
    if len(plan.rows) > 1:
        grids = [rows, *grids, *(grid for row in results.rows for grid in details(results, row))]
    parts = [f"# {markdown_text(plan.question)}", *facts, markdown_command(str(results.header.get("command")))]
    parts += [grid.markdown().rstrip() for grid in grids]
    sentences = [*(comparison.sentence(MAIN) for comparison in results.comparisons), *conclusions(results)]
    return "\n\n".join([*parts, *map(markdown_paragraph, sentences)]) + "\n"


def _scores(results: Results) -> Grid:
    lines = []
    for row in results.rows:
        dev, measured = row.measured("dev"), row.measured(results.split)
        if measured:
            scores = [measure_text(row, results.split, measured, name) for name in metrics()]
            lines.append((row.name, *scores, score_text(row, dev[MAIN]) if dev else "-"))
    title = f"{_title(results)}; last column: weighted F1 on dev"
    return Grid(title, ("row", *(metric.title for metric in metrics().values()), "dev"), lines)


def _test_selection(results: Results) -> Grid:
    lines = []
    for row in results.rows:
        measured, chosen, gain = row.measured("test"), row.chosen_on_test, row.test_selection_gain
        if measured and chosen and gain:
            scores = [score_text(row, of[MAIN]) for of in (measured, chosen)]
            lines.append((row.name, *scores, score_text(row, gain[MAIN], "+")))
    title = "weighted F1 on test with the epoch selected on dev and on test, and the difference"
    return Grid(title, ("row", "selected on dev", "selected on test", "test-selection gain"), lines)


def _differences(results: Results) -> Grid:
    first = results.comparisons[0]
    corrected = corrected_for(first.differences[MAIN].family)
    return Grid(
        f"weighted F1 minus that of {first.reference.name}, in points; interval and p-value of the bootstrap over "
        "conversations, p-values of the paired t-test and Wilcoxon's test over seeds"
        + (f", Holm-corrected for {corrected}" if corrected else ""),
        ("row", "difference", f"{100 * first.level:g} % interval", "p", "t", "Wilcoxon"),
        [
            (
                comparison.other.name,
                f"{100 * of.value:+.2f}",
                interval_text(of, "+.2f"),
                *map(p_value, (of.p_holm, of.t_holm, of.wilcoxon_holm)),
            )
            for comparison in results.comparisons
            for of in (comparison.differences[MAIN],)
        ],
    )


def _title(results: Results, row: RowResult | None = None) -> str:
    group = (row or results.rows[0]).group
    seeds = f"seeds {format_seeds(group.seeds if row else results.plan.seeds)}"
    selection = group.caveat or "epoch selected on dev"
    return f"{group.values['corpus']}, {results.split}: mean ± standard deviation over runs ({seeds}); {selection}"


def _name(name: str) -> str:
    return measure(name).title if name in metrics() else name.removeprefix("f1:")


def score_text(row: RowResult, spread: Spread, sign: str = "", name: str = MAIN) -> str:
    """Format a measure for tables, with its standard deviation if there are several runs."""
    text = measure(name).text
    return f"{text(spread.mean, sign)} ± {text(spread.deviation)}" if row.group.size > 1 else text(spread.mean, sign)


def measure_text(row: RowResult, split: str, measured: Measured, name: str, sign: str = "") -> str:
    """Like `score_text`, but `–` for the F1 of a class that does not occur in the split."""
    if name.removeprefix("f1:") in row.group.summary(split).absent:
        return "–"
    return score_text(row, measured[name], sign, name)


def range_text(spread: Spread, name: str = MAIN) -> str:
    """Format the range from the lowest to the highest run."""
    text = measure(name).text
    return f"{text(spread.minimum)}–{text(spread.maximum)}"


def _cells(row: RowResult, split: str, measured: Measured, name: str) -> tuple[str, str, str]:
    shown, text = measure_text(row, split, measured, name), measure(name).text
    return (
        (shown, shown, shown) if shown == "–" else (shown, text(measured[name].minimum), text(measured[name].maximum))
    )


def _threads(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"
