"""The ColBERT of stage 2: its model, loss and files."""
