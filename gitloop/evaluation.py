"""Cases through the target, outputs through the judges, and every call through the call store."""
