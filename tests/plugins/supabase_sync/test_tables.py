"""Tables for the terminal."""

from longline_supabase_sync.tables import table


def test_columns_are_in_line_and_nothing_trails() -> None:
    rows = [("created", "Rechts-Assistent für Mietrecht", ""), ("failed", "b", "warum")]
    assert table(("ACTION", "NAME", "WHAT"), rows).splitlines() == [
        "ACTION   NAME                            WHAT",
        "created  Rechts-Assistent für Mietrecht",
        "failed   b                               warum",
    ]


def test_a_name_gives_the_terminal_no_orders() -> None:
    assert table(("NAME",), [("\x1b[2Jböse\n\r\u202e",)]).splitlines()[1] == "?[2Jböse???"
