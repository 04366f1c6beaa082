"""Charts: how a person looks at them, how they are drawn as cells, and the pane that shows them."""
