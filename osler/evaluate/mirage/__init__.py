"""MIRAGE: multiple-choice questions asked with and without passages, and what the replies are worth."""
