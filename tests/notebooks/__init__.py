"""One file per notebook, so that test workers share them."""
