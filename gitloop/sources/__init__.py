"""Sources read traces and feedback from files of other tools."""
