"""Local web pages: on the loopback, for one person, behind a link that works once."""
