"""The generated support-assistant scenario that the demo and the tests walk through."""
