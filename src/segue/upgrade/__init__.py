"""The upgrade as a state machine: what may follow from where, by whom, and with which effects. Pure.

`state` is where an upgrade stands; `seen` what was observed of it; `event` reduces an observation to the one thing that matters
most; `table` says what follows; `decide` puts the three together. Knows no store, no clock and no gateway: the controller
observes, carries effects out, and writes the log.
"""
