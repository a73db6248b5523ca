"""Whether a regular expression can take exponential time: its automaton reads some loop in two ways.

The position automaton (Glushkov) of the pattern has one state per character of the pattern. A backtracking engine is
exponential where a state `p` has two different paths back to itself on one word (exponential degree of ambiguity:
Weber and Seidl, "On the degree of ambiguity of finite automata"; Weideman et al., "Analyzing matching time behavior of
backtracking regular expression matchers by using ambiguity of NFA"). Two paths are searched for in the product of the
automaton with itself, and as one transition that comes about in two ways (`(a*)*`).

Short of that, time grows with a power of the length of the text: each loop that can read on where another could, too (a word
leads `p` to `p`, `p` to `q` and `q` to `q`: infinite degree of ambiguity, same source), is one power more (`a*a*a*`). So the
longest row of such loops is found, and only words of a few characters count: texts that repeat a long one are rare.

On the safe side: characters beyond ASCII count as four kinds, long bounded repeats as unbounded, back references as anything.
A possessive repeat or atomic group is one step to what is around it, since the engine never goes back into it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from re import _constants as ops  # type: ignore[attr-defined]  # the only parsed form of a pattern there is
from typing import Any

ASCII = 128
BEYOND_ASCII = (0x00A0, 0x00E9, 0x0663, 0x2014)
"""Stand for every other character: one blank, one letter, one digit, one of none of these."""
EVERYTHING = frozenset((*range(ASCII), *BEYOND_ASCII))
LONG_REPEAT = 8
"""A bounded repeat up to this long is written out; a longer one counts as unbounded."""
MOST_STATES = 400
"""More states than this in one loop are not searched; the pattern is refused."""
MOST_IN_A_ROW = 4
"""Loops in a row that can read the same text; with one more, sixty characters take a second."""
LONGEST_SHARED = 2
"""Characters of a word that makes two loops such a row."""
MOST_STEPS = 200_000
"""More steps than this in looking for rows are not taken; the pattern is refused."""

Items = Sequence[tuple[Any, Any]]
Pair = tuple[int, int]
Triple = tuple[int, int, int]


@dataclass
class _Part:
    """First and last states of a part of the pattern, each with the number of ways it comes about."""

    nullable: bool = True
    first: Counter[int] = field(default_factory=Counter)
    last: Counter[int] = field(default_factory=Counter)


@dataclass
class _Automaton:
    """States with the characters they read, and the transitions with the number of ways each comes about."""

    characters: list[frozenset[int]] = field(default_factory=list)
    follow: dict[int, Counter[int]] = field(default_factory=dict)
    apart: list[tuple[Items, int]] = field(default_factory=list)
    """Parts matched on their own: lookarounds, atomic groups."""
    repeats_nothing: bool = False
    """Whether something is repeated without end that may be empty."""

    def state(self, characters: frozenset[int]) -> _Part:
        position = len(self.characters)
        self.characters.append(characters)
        self.follow[position] = Counter()
        return _Part(False, Counter({position: 1}), Counter({position: 1}))

    def connect(self, last: Counter[int], first: Counter[int]) -> None:
        for source, ways_out in last.items():
            for target, ways_in in first.items():
                self.follow[source][target] += ways_out * ways_in

    def sequence(self, parts: Iterable[_Part]) -> _Part:
        whole = _Part()
        for part in parts:
            self.connect(whole.last, part.first)
            whole = _Part(
                whole.nullable and part.nullable,
                whole.first + part.first if whole.nullable else whole.first,
                whole.last + part.last if part.nullable else part.last,
            )
        return whole

    def read(self, items: Items, flags: int) -> _Part:
        return self.sequence(self.read_one(op, argument, flags) for op, argument in items)

    def read_one(self, op: Any, argument: Any, flags: int) -> _Part:
        if op in (ops.LITERAL, ops.NOT_LITERAL, ops.IN, ops.ANY):
            return self.state(_characters(op, argument, flags))
        if op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            least, most, body = argument
            return self.repeat(least, most, body, flags)
        if op is ops.SUBPATTERN:
            _, added, removed, body = argument
            return self.read(body, (flags | added) & ~removed)
        if op is ops.BRANCH:
            return _either([self.read(branch, flags) for branch in argument[1]])
        if op in (ops.POSSESSIVE_REPEAT, ops.ATOMIC_GROUP):
            return self.closed([(ops.MAX_REPEAT, argument)] if op is ops.POSSESSIVE_REPEAT else argument, flags)
        if op in (ops.ASSERT, ops.ASSERT_NOT):
            self.apart.append((argument[1], flags))
        elif op is ops.GROUPREF:
            return self.repeat(0, ops.MAXREPEAT, [(ops.ANY, None)], flags | re.DOTALL)
        elif op is ops.GROUPREF_EXISTS:
            _, yes, no = argument
            return _either([self.read(yes, flags), self.read(no or (), flags)])
        return _Part()

    def repeat(self, least: int, most: Any, body: Items, flags: int) -> _Part:
        if most is ops.MAXREPEAT or most > LONG_REPEAT:
            part = self.read(body, flags)
            self.repeats_nothing |= part.nullable and bool(part.first)
            self.connect(part.last, part.first)
            return _Part(part.nullable or least == 0, part.first, part.last)
        copies = []
        for number in range(int(most)):
            part = self.read(body, flags)
            copies.append(_Part(part.nullable or number >= least, part.first, part.last))
        return self.sequence(copies)

    def closed(self, items: Items, flags: int) -> _Part:
        """What the engine never goes back into: one state that begins as the part does."""
        self.apart.append((items, flags))
        inner = _Automaton()
        part = inner.read(items, flags)
        begins = frozenset().union(*(inner.characters[position] for position in part.first))
        outer = self.state(begins)
        return _Part(part.nullable, outer.first, outer.last)


def is_ambiguous(items: Items, flags: int) -> bool:
    """Whether matching the parsed pattern `items` can take time exponential in the length of the text."""
    return any(_loops_in_two_ways(one, loop) for one in _automata(items, flags) for loop in _loops(one.follow))


def repeats_nothing(items: Items, flags: int) -> bool:
    """Whether the parsed pattern `items` repeats without end what may be empty: the engine tries that, too, at each place."""
    return any(one.repeats_nothing for one in _automata(items, flags))


def has_long_row(items: Items, flags: int) -> bool:
    """Whether more than `MOST_IN_A_ROW` loops of the parsed pattern `items`, one after the other, can read the same text."""
    return any(_Rows(one).are_long() for one in _automata(items, flags))


def _automata(items: Items, flags: int) -> Iterator[_Automaton]:
    """The one of the pattern, and those of the parts that are matched on their own."""
    automaton = _Automaton()
    automaton.read(items, flags)
    yield automaton
    for inner, inner_flags in automaton.apart:
        yield from _automata(inner, inner_flags)


def _either(parts: list[_Part]) -> _Part:
    whole = _Part(any(part.nullable for part in parts))
    for part in parts:
        whole.first.update(part.first)
        whole.last.update(part.last)
    return whole


def _loops(follow: dict[int, Counter[int]]) -> list[set[int]]:
    """The sets of states that reach each other."""
    backward: dict[int, set[int]] = {state: set() for state in follow}
    for source, targets in follow.items():
        for target in targets:
            backward[target].add(source)
    left = set(follow)
    for around in (follow, backward):
        ends = [state for state in left if left.isdisjoint(around[state])]
        while ends:
            left.difference_update(ends)
            before = backward if around is follow else follow
            ends = [one for state in ends for one in before[state] if one in left and left.isdisjoint(around[one])]
    found = []
    while left:
        state = min(left)
        loop = _reach([state], lambda one: follow[one]) & _reach([state], lambda one: backward[one])
        left -= loop | {state}
        if loop:
            found.append(loop)
    return found


def _loops_in_two_ways(automaton: _Automaton, loop: set[int]) -> bool:
    if any(ways > 1 for state in loop for target, ways in automaton.follow[state].items() if target in loop):
        return True
    if len(loop) > MOST_STATES:
        return True
    forward: dict[Pair, set[Pair]] = {}
    backward: dict[Pair, set[Pair]] = {}
    starts = [(state, state) for state in loop]

    def step(pair: Pair) -> set[Pair]:
        if pair not in forward:
            left, right = ([target for target in automaton.follow[state] if target in loop] for state in pair)
            forward[pair] = {
                (one, other)
                for one in left
                for other in right
                if not automaton.characters[one].isdisjoint(automaton.characters[other])
            }
            for target in forward[pair]:
                backward.setdefault(target, set()).add(pair)
        return forward[pair]

    reached = _reach(starts, step)
    returning = _reach(starts, lambda pair: backward.get(pair, set()))
    return any(one != other for one, other in reached & returning)


class _Rows:
    """Loops of an automaton that can read on where the one before them could, too."""

    def __init__(self, automaton: _Automaton) -> None:
        self._automaton = automaton
        self._n_steps = 0

    def are_long(self) -> bool:
        # A state's number grows from left to right, and no transition leads back but within a loop.
        loops = sorted(_loops(self._automaton.follow), key=min)
        if len(loops) <= MOST_IN_A_ROW:
            return False
        lengths: list[int] = []
        for loop in loops:
            before = (length for length, other in zip(lengths, loops, strict=False) if self._shares(other, loop))
            lengths.append(1 + max(before, default=0))
            if lengths[-1] > MOST_IN_A_ROW or self._n_steps > MOST_STEPS:
                return True
        return False

    def _shares(self, loop: set[int], later: set[int]) -> bool:
        return any(self._reads_both(p, loop, q, later) for p in loop for q in later)

    def _reads_both(self, p: int, loop: set[int], q: int, later: set[int]) -> bool:
        """Whether one word leads from `p` to `p`, from `p` to `q`, and from `q` to `q`."""
        reached, seen = {(p, p, q)}, {(p, p, q)}
        for _ in range(LONGEST_SHARED):
            reached = {there for one in reached for there in self._step(one, loop, later)} - seen
            if (p, q, q) in reached:
                return True
            seen |= reached
            if self._n_steps > MOST_STEPS:
                return False
        return False

    def _step(self, triple: Triple, loop: set[int], later: set[int]) -> Iterator[Triple]:
        characters, follow = self._automaton.characters, self._automaton.follow
        stays, goes, ends = (follow[state] for state in triple)
        for x in loop & stays.keys():
            for y in goes:
                self._n_steps += 1
                shared = characters[x] & characters[y]
                if shared:
                    yield from ((x, y, z) for z in later & ends.keys() if not shared.isdisjoint(characters[z]))


def _reach(starts: Iterable[Any], step: Any) -> set[Any]:
    """Everything reached from `starts` in one step or more."""
    seen: set[Any] = set()
    pending = list(starts)
    while pending:
        for target in step(pending.pop()):
            if target not in seen:
                seen.add(target)
                pending.append(target)
    return seen


def _characters(op: Any, argument: Any, flags: int) -> frozenset[int]:
    if op is ops.LITERAL:
        return _cased(argument, flags)
    if op is ops.NOT_LITERAL:
        return EVERYTHING - _cased(argument, flags) | set(BEYOND_ASCII)
    if op is ops.ANY:
        return EVERYTHING if flags & re.DOTALL else EVERYTHING - {ord("\n")}
    found: set[int] = set()
    kinds: set[int] = set()
    for member, value in argument:
        if member is ops.LITERAL:
            found |= _cased(value, flags)
        elif member is ops.RANGE:
            for code in range(value[0], min(value[1], ASCII - 1) + 1):
                found |= _cased(code, flags)
            if value[1] >= ASCII:
                found.update(BEYOND_ASCII)
        elif member is ops.CATEGORY:
            kinds |= _CATEGORIES[value]
    if argument and argument[0][0] is ops.NEGATE:
        return EVERYTHING - found - kinds | found.intersection(BEYOND_ASCII)
    return frozenset(found | kinds)


def _cased(code: int, flags: int) -> frozenset[int]:
    """The characters a literal reads; beyond ASCII, the one that stands for its kind."""
    character = chr(code)
    cases = {character, character.lower(), character.upper()} if flags & re.IGNORECASE else {character}
    if flags & re.IGNORECASE and character in "iksIKS":
        cases.add("é")  # dotless and dotted i, the Kelvin sign and the long s fold to these
    return frozenset(_kind(one) for case in cases for one in case)


def _kind(character: str) -> int:
    if ord(character) < ASCII:
        return ord(character)
    blank, letter, digit, other = BEYOND_ASCII
    if character.isspace():
        return blank
    if character.isdecimal():
        return digit
    return letter if character.isalnum() else other


def _matching(pattern: str) -> frozenset[int]:
    tried = re.compile(pattern)
    return frozenset(code for code in EVERYTHING if tried.match(chr(code)))


_CATEGORIES = {
    ops.CATEGORY_DIGIT: _matching(r"\d"),
    ops.CATEGORY_NOT_DIGIT: _matching(r"\D"),
    ops.CATEGORY_SPACE: _matching(r"\s"),
    ops.CATEGORY_NOT_SPACE: _matching(r"\S"),
    ops.CATEGORY_WORD: _matching(r"\w"),
    ops.CATEGORY_NOT_WORD: _matching(r"\W"),
}
