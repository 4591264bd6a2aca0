"""One step per verb: load, core, save, report."""
