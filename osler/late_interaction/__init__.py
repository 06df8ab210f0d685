"""Late interaction: a text is one vector per token, compared token by token. Knows arrays only."""
