"""``postcart estimates``: how well deliveries are predicted.

Owns: the commands. Must not: learn or measure (domain.track), or know a format (codecs).
"""

from pathlib import Path
from typing import Annotated

import typer

from postcart.cli.failures import Exit, say
from postcart.cli.printing import OutputOption, print_fields, print_json

app = typer.Typer(no_args_is_help=True, help="Look at predicted delivery dates.")


@app.callback()
def estimates() -> None:
    """Look at predicted delivery dates."""


@app.command()
def evaluate(
    orders: Annotated[Path, typer.Argument(metavar="ORDERS", exists=True, dir_okay=False, help="Olist orders, CSV.")],
    items: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Their items, CSV: pieces, sellers, freight.")
    ] = None,
    split: Annotated[
        float, typer.Option(min=0.01, max=0.99, help="Share of the orders, by time, to learn from.")
    ] = 0.8,
    output: OutputOption = "table",
) -> None:
    """Learn from earlier orders, judge by later ones.

    Learned is only from deliveries before that moment and from what was known at the purchase. Told are the mean
    absolute error of the prediction, of the shop's own date and of the state's median, how many deliveries lie in the
    range that should hold 80 %, and how wide it is.
    """
    from postcart.codecs.olist import read_olist  # noqa: PLC0415
    from postcart.codecs.olist_events import registration  # noqa: PLC0415
    from postcart.domain.track.evaluation import Case  # noqa: PLC0415
    from postcart.domain.track.evaluation import evaluate as judge  # noqa: PLC0415
    from postcart.events.times import iso  # noqa: PLC0415

    cases = [Case(order.purchased_ms, registration(order), order.delivered_ms) for order in read_olist(orders, items)]
    found = judge(cases, split)
    if found is None:
        say(f"{orders} has too few deliveries to learn from, or to judge")
        raise typer.Exit(Exit.FINDING)
    told = {
        "orders": found.orders,
        "split": split,
        "split_at": iso(found.split_ms),
        "learned_from": found.learned_from,
        "judged": found.judged,
        "mae_days": found.mae_days,
        "shop_mae_days": found.shop_mae_days,
        "state_median_mae_days": found.state_median_mae_days,
        "better_than_state_median": round(1 - found.mae_days / found.state_median_mae_days, 4),
        "coverage": found.coverage,
        "width_days": found.width_days,
        "global_width_days": found.global_width_days,
    }
    if output == "json":
        print_json(told)
    else:
        print_fields({name: f"{value:.3f}" if isinstance(value, float) else value for name, value in told.items()})
