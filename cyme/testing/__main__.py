"""``python -m cyme.testing`` replays one run of the simulator, and tells what happened."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from cyme.testing.simulation.faults import FAULTS
from cyme.testing.simulation.run import Verdict, branches_of, events_of, shrink, simulate
from cyme.testing.simulation.transcript import Transcript


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulator; return 1 if a rule was broken."""
    given = _parser().parse_args(arguments)
    branches = branches_of(given.seed) if given.branches is None else given.branches
    events = events_of(given.seed, branches, kinds=given.faults, until=given.until)
    transcript = Transcript(None if given.quiet else _say, messages=given.trace)
    verdict = simulate(given.seed, branches, events=events, transcript=transcript)
    if verdict.violation is not None and given.shrink:
        verdict = shrink(verdict)
        _say("\nThe same rule is broken by these alone:")
        for event in verdict.events:
            _say(f"    {event}")
        simulate(
            given.seed,
            branches,
            events=verdict.events,
            transcript=Transcript(_say, messages=given.trace),
        )
    _say(_summary(verdict))
    return 1 if verdict.violation is not None else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cyme.testing",
        description="Runs a simulated cluster through faults and tells what happened.",
    )
    parser.add_argument("--seed", type=int, required=True, help="what the run is a function of")
    parser.add_argument("--branches", type=int, help="how many branches; by the seed if not given")
    parser.add_argument(
        "--faults",
        type=_kinds,
        default=tuple(FAULTS),
        metavar="KIND,...",
        help=f"which faults there may be, or none; all if not given: {', '.join(FAULTS)}",
    )
    parser.add_argument(
        "--until", type=float, metavar="SECONDS", help="faults begin until then; by the seed"
    )
    parser.add_argument("--trace", action="store_true", help="tell every message but beats, too")
    parser.add_argument("--quiet", action="store_true", help="tell the verdict only")
    parser.add_argument(
        "--shrink", action="store_true", help="find the fewest events that break the same rule"
    )
    return parser


def _kinds(text: str) -> tuple[str, ...]:
    kinds = tuple(kind for kind in text.split(",") if kind and kind != "none")
    for kind in kinds:
        if kind not in FAULTS:
            raise argparse.ArgumentTypeError(f"there is no fault {kind!r}")
    return kinds


def _summary(verdict: Verdict) -> str:
    figures = verdict.figures
    told = (
        f"\nseed {verdict.seed}, {verdict.branches} branches, {verdict.seconds:.0f} s, "
        f"{verdict.happened} steps, {sum(figures.messages.values())} messages "
        f"(at most {figures.messages_per_s_max} of one branch in a second), "
        f"{figures.acknowledged} writes of clients, {figures.writes} of ownership, "
        f"{figures.calls} calls, digest {verdict.digest}\n"
    )
    if verdict.violation is not None:
        return told + f"VIOLATION: {verdict.violation}"
    return told + f"Every rule held; settled {verdict.settled_s:.0f} s after the faults."


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
