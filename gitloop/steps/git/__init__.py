"""What Git asks of gitloop: rows in place of pointers, merges, and a data/ that is right."""
