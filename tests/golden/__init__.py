"""Losses of tiny runs, written down: a change that is not meant to change numbers changes none of them.

`python -m tests.golden` writes them anew; say in the commit why they changed.
"""
