"""Networks between hidden states and codes, and the distribution of one step."""
