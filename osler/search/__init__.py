"""The searching stage: query, candidates, ranked passages with evidence. Knows protocols, no model and no database."""
