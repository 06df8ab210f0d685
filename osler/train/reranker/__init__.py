"""The ColBERT of stage 2: its model, losses, teacher and files."""
