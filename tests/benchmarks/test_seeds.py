import pytest

from benchmarks import seeds

PAGE = """A page.

```python
import bayes_scaling
chosen = dict(seed=7)["seed"]
```

```python
if __name__ == "__main__":
    raise RuntimeError("starts processes of its own")
```

```python
if chosen == 1:
    raise ValueError("not at this one")
```
"""


def test_readme_the_guides_and_every_notebook_are_pages_where_they_draw():
    assert {"README", "numpyro", "ladder", "transfer"} <= seeds.pages().keys()
    assert "add_a_study" not in seeds.pages()


def test_both_spellings_of_a_seed_are_replaced():
    assert seeds.SEED.sub(r"\g<1>3", 'fit(law, seed=0, **{"seed": 12})') == 'fit(law, seed=3, **{"seed": 3})'


@pytest.mark.slow
def test_a_page_that_fails_at_one_seed_is_counted(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    monkeypatch.setattr(seeds, "pages", lambda: {"page": page})
    row = seeds.measure("page", 3)
    assert (row["ran"], row["fits held"], row["not converged"]) == (2, 0, "")
    assert row["failures"] == "seed 1: ValueError: not at this one"
