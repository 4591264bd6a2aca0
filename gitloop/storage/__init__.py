"""Where things are kept: files, Parquet, Git, DVC, golden sets, the call store."""
