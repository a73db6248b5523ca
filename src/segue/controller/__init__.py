"""The controller: observes upgrades, has `segue.upgrade` decide, carries effects out and writes everything down.

`ports` are what it needs of the world; `controller` is the loop; `live` is what the exchange log shows. It keeps nothing that
the store does not have: killed anywhere, it goes on elsewhere. The gateway knows nothing of it.
"""
