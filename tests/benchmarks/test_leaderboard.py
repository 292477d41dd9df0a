import json

import pandas as pd
import pytest

from benchmarks import leaderboard


def test_a_part_replaces_what_it_found_before_and_keeps_the_others(tmp_path):
    table = {"Backtests": pd.DataFrame({"candidate": ["Chinchilla"], "crps": [0.25]})}
    for part, value in (("moe", 0.1), ("vocab", 0.5), ("moe", 0.7)):
        figures = leaderboard.store(tmp_path, "sldbench", part, table, {f"{part}_r2": value})
    assert figures == {"moe_r2": 0.7, "vocab_r2": 0.5}
    assert json.loads((tmp_path / "leaderboard.json").read_text())["sldbench"]["moe"]["figures"] == {"moe_r2": 0.7}
    text = (tmp_path / "leaderboard.md").read_text()
    assert "| Chinchilla | 0.25 |" in text and "| moe_r2 | 0.7 |" in text and "0.1" not in text


def test_a_part_that_the_board_lacks_is_refused(capsys):
    with pytest.raises(SystemExit):
        leaderboard.main(["sldbench", "chess"])
    assert "sldbench has no part 'chess'; give some of sft, " in capsys.readouterr().err
