"""The rehearsal: a whole upgrade on virtual time, with the controller, routing, scorers and exchange log that really serve.

`world` puts it together and runs it; `serving` is one stretch of traffic; `crowd` who asks what, `outputs` and `answers` what
models say, `scoring` what that is worth, `troubles` what goes wrong; `log` the exchange log in a folder of its own; `ports` and
`people` what else the controller meets. It asks no model over a network, and touches no state but its own.
"""
