import pytest

import bayes_scaling as bs
from bayes_scaling.cli.pairings import read_pairings


def names(source="fineweb_edu:train_loss", target="smollm:train_loss", sets="train_data"):
    found = read_pairings(bs.load_study("loss_to_loss"), source, target, sets=sets, by="n_params,flops")
    return [pairing.study.name for pairing, _ in found]


def test_all_pairs_of_sets_and_the_losses_of_one_model():
    assert len(names(source="all:train_loss", target="all:train_loss")) == 30
    own = names(source="all:train_loss", target="same:hellaswag_ce")
    assert own[0] == "fineweb:train_loss -> fineweb:hellaswag_ce" and len(own) == 6
    assert names(target="smollm:starcoder_loss") == ["fineweb_edu:train_loss -> smollm:starcoder_loss"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "fineweb_edu"}, "not a set and a loss"),
        ({"source": "fineweb_edo:train_loss"}, "fineweb_edu"),
        ({"target": "fineweb_edu:train_loss"}, "one axis"),
        ({"target": "smollm:train_los"}, "train_loss"),
        ({"sets": "corpus"}, "no column 'corpus'"),
    ],
)
def test_axes_that_are_not_there_are_one_sentence(changes, message):
    with pytest.raises(bs.StudyError, match=message):
        names(**changes)
