"""Providers: what answers a request, whether a hosted model, a recording or a simulation.

`base` is the port, `config` the entry of `segue.yaml` and `open_provider`, `pacing` the manners every provider is asked with.
Modules are imported where they are needed: aiohttp and the price list take time to load, so nothing is exported here.
"""
