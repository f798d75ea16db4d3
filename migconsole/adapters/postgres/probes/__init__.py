"""Health probes that cannot hurt: what the watcher asks the server, through which session, at what risk.

``catalogue`` declares the 42 probes. ``Probes`` is what a watcher drives:

* ``Probes(target, run, watched=Watched(...))`` owns the two sessions; ``await open()`` connects and prepares them
  before T-0. It raises MigconsoleError for a target that cannot work at all, such as a pooler.
* ``await run_pulse()`` reads all probes of tier P at once from one set of queries, one Reading each.
* ``await run_probe(name, gate=False)`` reads one. Gates read more widely. Readings, never exceptions.
* ``await stand_down(reason)`` and ``stand_up()`` for the session in the target; the pulse goes on.
* ``retry(name="")`` forgets remembered refusals; ``await texts(ids)`` fetches statement texts; ``cost()`` its price.
* ``SignalSession`` cancels and terminates after a person confirmed it.
"""

from __future__ import annotations
