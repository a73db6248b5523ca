"""An incumbent that nobody has heard of: no step is left, people are told why, and one of them may answer for it."""

from __future__ import annotations

from segue.controller.observing import observe
from segue.controller.probing import Probed, Prober
from segue.store.memory import MemoryStore
from tests.controller.pretend import DAY, Stage
from tests.controller.test_probing import AtOnce
from tests.controller.undertaken import NOW, an_upgrade

MINUTE, HOUR = 60.0, 3_600.0


def test_it_holds_within_an_hour_and_says_what_is_wrong() -> None:
    """Long before shadow is over: whoever comes in the morning has the day to mend it."""
    stage = Stage()
    stage.open()
    stage.pretend.answers = None
    controller = stage.controller()
    stage.days(controller, 0.25, HOUR / 2)
    state = stage.upgrade().state
    assert (state.stage, state.standing, state.held_by) == ("shadow", "holding", "incumbent_unheard")
    assert "no key" in state.because[0]
    stage.days(controller, 9)
    assert stage.upgrade().state.stage == "shadow"


def test_what_it_waits_for_is_said_before_it_holds() -> None:
    """With everything else that is missing; nothing is added where it is heard of, or somebody answers for it."""
    stage = Stage()
    stage.open()
    controller = stage.controller()
    stage.days(controller, 0.25)
    assert observe(controller.world, stage.upgrade(), stage.pretend.now).seen.missing == ()
    stage.pretend.answers, stage.pretend.heard_at = None, stage.pretend.now - 600.0
    assert observe(controller.world, stage.upgrade(), stage.pretend.now).seen.missing == (
        "Whether the incumbent answers is not known: no key.",
    )
    stage.pretend.missing = None
    assert observe(controller.world, stage.upgrade(), stage.pretend.now).seen.missing is None


def test_whoever_answers_for_it_takes_it_one_step_further() -> None:
    """And is asked again there."""
    stage = Stage()
    stage.open()
    stage.pretend.answers = None
    controller = stage.controller()
    stage.days(controller, 0.25)
    stage.person("resume")
    stage.days(controller, 1.25)
    state = stage.upgrade().state
    assert (state.stage, state.step, state.held_by) == ("canary", 0, "incumbent_unheard")
    stage.days(controller, 9)
    assert stage.upgrade().state.step == 0


def test_a_prober_says_since_when_it_has_heard_nothing() -> None:
    """From its first question, or from the last answer; and nothing while an answer is young enough."""
    store = MemoryStore()
    upgrade, says = an_upgrade(store), [Probed(None, "no key")]
    prober = Prober(store, lambda *_: says[-1], executor=AtOnce())
    first = prober.unheard(upgrade, NOW)
    assert first is not None
    assert (first.for_s, first.reason) == (0.0, "no key")
    later = prober.unheard(upgrade, NOW + 2 * HOUR)
    assert later is not None
    assert later.for_s == 2 * HOUR
    says.append(Probed(True))
    assert prober.unheard(upgrade, NOW + 3 * HOUR) is None
    says.append(Probed(None, "the gateway cannot be reached"))
    assert prober.unheard(upgrade, NOW + 3 * HOUR + 14 * MINUTE) is None
    gone = prober.unheard(upgrade, NOW + 4 * HOUR)
    assert gone is not None
    assert (gone.for_s, gone.reason) == (HOUR, "the gateway cannot be reached")


def test_a_silent_incumbent_is_known() -> None:
    """That it does not answer is an answer, with an event of its own."""
    stage = Stage()
    stage.open()
    stage.days(stage.controller(), 0.25)
    stage.pretend.answers = False
    stage.days(stage.controller("c2"), 0.25, DAY / 8)
    assert stage.upgrade().state.held_by == "incumbent_silent"
