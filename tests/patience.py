"""How long a test waits for what comes by itself.

Nobody waits longer than it takes; the limit only ends a wait for what never comes. So it is
far above anything that was seen, also on machines that others make ten times slower.
"""

ENOUGH_SECONDS = 240.0
"""Less than the time of a test, so that a wait that fails says what it waited for."""
