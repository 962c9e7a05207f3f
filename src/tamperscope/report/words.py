"""Says the statistics of a finding in sentences that need no mathematics."""

from dataclasses import dataclass

from tamperscope.records import Evidence, Finding


@dataclass(frozen=True)
class Statistic:
    """One line of the evidence of a finding."""

    title: str
    value: str
    meaning: str  # what it is and how to read it
    remark: str = ""  # what the value was held against
    level: float | None = None  # in [0, 1], drawn as a bar where it helps
    tests: tuple[tuple[str, bool], ...] = ()


def chance_in_words(chance: float, *, pair: bool) -> str:
    """Say how often chance alone does as well: ``about 1 in 5,000 unrelated pairs ...``."""
    if pair:
        many, one_does, many_do = "unrelated pairs", "aligns this well", "align this well"
    else:
        many, one_does, many_do = "unaltered panels", "shows one as strong", "show one as strong"
    if chance <= 0:
        return f"none of the {many} of the comparison {one_does}"
    if chance >= 0.095:
        return f"about {100 * chance:.0f} in 100 {many} {many_do}"
    return f"about 1 in {_two_digits(1 / chance):,} {many} {one_does}"


def chance_in_short(chance: float) -> str:
    """Say the same for a narrow column: ``1 in 5,000``."""
    if chance <= 0:
        return "none seen"
    if chance >= 0.095:
        return f"{100 * chance:.0f} in 100"
    return f"1 in {_two_digits(1 / chance):,}"


def _two_digits(number: float) -> int:
    """Round a large number: the null does not carry more digits."""
    whole = round(number)
    return round(whole, 2 - len(str(whole))) if whole >= 100 else whole


def statistics(finding: Finding) -> list[Statistic]:
    """Every statistic that applies to ``finding``, in the order of reading."""
    evidence = finding.evidence
    pair = len(finding.regions) > 1
    found = [
        _inliers(evidence),
        *_correlations(evidence),
        _chance(evidence, pair),
        _stability(evidence),
        _control(evidence),
    ]
    return [statistic for statistic in found if statistic is not None]


def _inliers(evidence: Evidence) -> Statistic | None:
    if evidence.inliers is None:
        return None
    return Statistic(
        "Matching points",
        f"{evidence.inliers:,} follow one common movement",
        "Small details of A that were found again in B, each at the spot where one common "
        "movement (shift, turn, flip, change of size) puts it.",
    )


def _correlations(evidence: Evidence) -> list[Statistic]:
    found = []
    if evidence.correlation is not None:
        found.append(
            Statistic(
                "Likeness as printed",
                f"correlation {evidence.correlation:.2f}",
                "Pearson correlation of the grey values of A and of B laid onto A: 1 is identical "
                "up to brightness and contrast, 0 is unrelated, -1 is the negative.",
                level=abs(evidence.correlation),
            )
        )
    if evidence.correlation_tone is not None:
        found.append(
            Statistic(
                "Likeness after evening out tones",
                f"correlation {evidence.correlation_tone:.2f}",
                "The same after the best tone curve (brightness, contrast, gamma or inversion) "
                "has been removed, so that only structure counts.",
                level=abs(evidence.correlation_tone),
            )
        )
    return found


def _chance(evidence: Evidence, pair: bool) -> Statistic | None:
    if evidence.chance is None:
        return None
    words = chance_in_words(evidence.chance, pair=pair)
    return Statistic(
        "Chance",
        words[0].upper() + words[1:],
        "How often material that has nothing to do with each other does as well under the same "
        "search. It is not the probability that something is wrong, and where many panels were "
        "compared a rare coincidence becomes less rare.",
        remark=f"Compared with: {evidence.chance_null}" if evidence.chance_null else "",
    )


def _stability(evidence: Evidence) -> Statistic | None:
    if not evidence.stability:
        return None
    held = sum(held for _, held in evidence.stability)
    return Statistic(
        "Stability",
        f"held in {held} of {len(evidence.stability)}",
        "The pictures were disturbed in these ways and searched again. What holds does not hang "
        "on a quirk of the compression or of the size.",
        tests=evidence.stability,
    )


def _control(evidence: Evidence) -> Statistic | None:
    if evidence.control is None:
        return None
    as_good, others = evidence.control
    return Statistic(
        "Negative control",
        f"{as_good:,} of {others:,} other panels match as well",
        "The same region was looked for in the other panels of this input. A high count means "
        "that such structure is common here.",
    )


def measures(evidence: Evidence) -> list[tuple[str, str]]:
    """Title and value of each of the detector's own numbers."""
    told = []
    for name, value in evidence.measures:
        if name != "same_field":
            told.append((name.replace("_", " ").strip().capitalize(), f"{value:.4g}"))
        elif value:  # worth a line only where it holds
            told.append(("Same field, same place", "yes, as colour channels and merged views show"))
    return told
