from __future__ import annotations

import shlex

import pytest
from typer.main import get_command

from bayes_scaling.cli.app import app
from bayes_scaling.cli.options import command_line, sampling

WHOLE = {
    "forecast": [
        "my runs.csv", "--law", "chinchilla", "--target", "N=7e9,D=4e12", "--target", "it's one", "--task", "MMLU",
        "--map", "n_params=N,tokens=D,loss=eval/loss", "--unit", "bits per byte", "--prior", "E=Normal(1.7, 0.1)",
        "--prior", "sigma=0.01", "--adapt",
        "--flops", "6ND", "--out", "a folder/out", "--json", "one.json",
        "--report", "report.html", "--seed", "3", "--draws", "200", "--chains", "2", "--allow-unconverged", "-q",
    ],
    "pair": [
        "loss_to_loss", "--from", "fineweb:train_loss", "--to", "same:hellaswag_ce", "--sets", "corpus", "--by", "a",
        "--full", "--map", "loss=val", "--unit", "nats",
        "--law", "bent_power_law",
        "--prior", "sigma=0.01", "--adapt", "--chains", "2", "--where", "a > 1", "--target-run", "r9",
        "--out", "out", "--seed", "7", "--draws", "200", "--quiet",
    ],
    "plan": [
        "runs.csv", "--reach", "loss=2.1", "--prob", "0.8", "--at", "N=7e9", "--serve", "1e13", "--next", "a b.csv",
        "--spend", "1e21", "--count", "2", "--ladder", "ladder.csv", "--families", "8", "--target", "N=7e9,D=4e12",
        "--law", "kaplan", "--task", "MMLU", "--unit", "nats per token",
        "--prior", "E=1.69", "--adapt",
        "--flops", "study", "--exact", "--exponent-error", "25%", "--json", "plan.json", "--chains", "2",
    ],
}  # fmt: skip


def parsed(name, words):
    """Return the context of a command; nothing is run."""
    return get_command(app).commands[name].make_context(f"bayes-scaling {name}", list(words))


def again(context):
    """Return the context of the command in words."""
    *path, name = context.command_path.split()
    words = shlex.split(command_line(context))
    assert words[:2] == [*path, name]
    return parsed(name, words[2:])


@pytest.mark.parametrize(("name", "words"), WHOLE.items(), ids=WHOLE)
def test_a_command_in_words_runs_again_as_it_was(name, words):
    context = parsed(name, words)
    changed = [p.name for p in context.command.params if context.params[p.name] != p.get_default(context)]
    assert len(changed) > 10
    assert again(context).params == context.params


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("plan", ["--reach", "loss=2.1", "--prob", "0"]),
        ("plan", ["runs.csv", "--next", "candidates.csv", "--spend", "0"]),
        ("forecast", ["--law", "kaplan", "--", "-runs.csv"]),
        ("forecast", ["runs.csv", "--map", "-loss=loss", "--law", ""]),
        ("forecast", ["runs.csv", "--target", "$(rm *)\n`x`"]),
    ],
)
def test_zeros_dashes_and_marks_of_the_shell_survive(name, words):
    context = parsed(name, words)
    assert again(context).params == context.params


@pytest.mark.parametrize("name", ["forecast", "pair", "plan"])
def test_the_whole_command_has_what_the_commands_share(name):
    """Options that commands share stand in the command lines above, so that none is left out of the round trip."""
    shared = {"--map", "--unit", "--prior", "--adapt"} - ({"--map"} if name == "plan" else set())
    assert shared <= set(WHOLE[name])


def test_defaults_are_left_out():
    context = parsed("forecast", ["olmo_ladder", "--seed", "0", "--draws", "1000"])
    assert command_line(context) == "bayes-scaling forecast olmo_ladder"


def test_a_sampler_is_told_to_adapt_where_the_user_says_so():
    assert sampling(1, 100, 4, False) == {"seed": 1, "draws": 100, "chains": 4}
    assert sampling(1, 100, 4, True)["adapt"] is True
