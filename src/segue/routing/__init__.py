"""Which bundle answers a request: a pure function of the route, the unit and the request's attributes.

It knows no HTTP, no clock and no store. The gateway asks it for each request; a rehearsal asks the same function.
"""

from segue.routing.assign import Arm, Asked, Assigned, Draw, RoutingTable
from segue.routing.point import POINTS, point_of, share_limit

__all__ = ["POINTS", "Arm", "Asked", "Assigned", "Draw", "RoutingTable", "point_of", "share_limit"]
