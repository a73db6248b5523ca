"""The faults that encoding a request can have, whatever the dialect: refused parameters, and `extra` in the way of others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from segue.errors import Fault, InputError
from segue.model import Json, Parameters, ToolSpec
from segue.wire.profiles import WireProfile


def refused_parameters(parameters: Parameters, profile: WireProfile) -> list[Fault]:
    """A fault for each parameter that is set and that `profile` cannot express. Nothing is dropped in silence."""
    faults = [
        Fault(
            what=f"{profile.name} cannot be sent {name}.",
            fix=profile.refuses[name],
            path=f"parameters.{name}",
        )
        for name in profile.refuses
        if getattr(parameters, name) not in (None, ())
    ]
    faults += [
        Fault(what=f"{profile.name} cannot be sent {name}.", fix=fix, path=f"parameters.extra.{name}")
        for name, fix in profile.refuses_extra.items()
        if name in parameters.extra
    ]
    temperature = parameters.temperature
    if temperature is not None and temperature > profile.max_temperature:
        faults.append(
            Fault(
                what=f"temperature {temperature} is above {profile.max_temperature}, the most {profile.name} takes.",
                fix=f"Use 0 to {profile.max_temperature}.",
                path="parameters.temperature",
            )
        )
    if profile.max_stop is not None and len(parameters.stop) > profile.max_stop:
        faults.append(
            Fault(
                what=f"{len(parameters.stop)} stop sequences are more than the {profile.max_stop} that {profile.name} takes.",
                fix="Leave some out.",
                path="parameters.stop",
            )
        )
    effort = parameters.reasoning_effort
    if effort is not None and effort not in profile.efforts:
        faults.append(
            Fault(
                what=f"{profile.name} has no reasoning_effort '{effort}'.",
                fix=f"Use one of {', '.join(sorted(profile.efforts))}.",
                path="parameters.reasoning_effort",
            )
        )
    return faults


def extra_faults(extra: Mapping[str, Json], body: Mapping[str, Json], refused: Mapping[str, str]) -> list[Fault]:
    """`extra` may add fields to a request, not change what the rest of the bundle says.

    `refused` names fields that extra may not set at all, with the reason.
    """
    faults = [
        Fault(what=f"extra may not set {name}.", fix=fix, path=f"parameters.extra.{name}")
        for name, fix in refused.items()
        if name in extra
    ]
    faults += [
        Fault(
            what=f"extra sets {name}, which the bundle sets already.",
            fix="Set it in one place.",
            path=f"parameters.extra.{name}",
        )
        for name in extra
        if name in body and name not in refused
    ]
    return faults


def tool_choice_fault(choice: str, tools: Iterable[ToolSpec]) -> Fault:
    """`choice` is neither auto, none nor required, nor the name of a tool; or there is no tool at all."""
    names = sorted(tool.name for tool in tools)
    if not names:
        return Fault(
            what=f"tool_choice '{choice}' is set, and the request has no tools.",
            fix="Leave it out, or declare tools in the bundle or the case.",
            path="parameters.tool_choice",
        )
    return Fault(
        what=f"tool_choice '{choice}' is not auto, none or required, and no tool has this name.",
        fix=f"Use one of these or a tool: {', '.join(names)}.",
        path="parameters.tool_choice",
    )


def raise_faults(faults: Iterable[Fault]) -> None:
    """Raise one `InputError` for all of them, if there are any."""
    collected = list(faults)
    if collected:
        raise InputError.from_faults(collected, subject="the request")
