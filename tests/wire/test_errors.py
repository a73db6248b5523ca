"""What a provider's error means, how long to wait, and what an error may say."""

from __future__ import annotations

import pytest

from segue.wire.errors import describe_error, parse_retry_after, read_error_body


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"", "auth"),
        (403, b"", "auth"),
        (402, b"", "auth"),
        (408, b"", "timeout"),
        (504, b"", "timeout"),
        (409, b"", "server"),
        (429, b"", "rate_limit"),
        (503, b"", "overloaded"),
        (529, b"", "overloaded"),
        (500, b"<html>", "server"),
        (599, b"", "server"),
        (400, b"", "refused_request"),
        (404, b"", "refused_request"),
        (413, b"", "refused_request"),
        (422, b"", "refused_request"),
        (301, b"", "refused_request"),
    ],
)
def test_a_status_says_what_kind_of_failure_it_is(status: int, body: bytes, kind: str) -> None:
    """Without any help from the body."""
    assert describe_error(status, read_error_body(body)).kind == kind


def test_an_empty_account_is_no_rate_limit() -> None:
    """It comes as 429, and waiting does not fill it."""
    body = (
        b'{"error": {"message": "You exceeded your current quota", "type": "insufficient_quota", "code": "insufficient_quota"}}'
    )
    assert describe_error(429, read_error_body(body)).kind == "auth"


def test_type_code_and_parameter_are_told() -> None:
    """They are what one looks up."""
    body = (
        b'{"error": {"message": "Unsupported value.", "type": "invalid_request_error", "param": "temperature", "code": "x_y"}}'
    )
    detail = describe_error(400, read_error_body(body)).detail
    assert detail == "HTTP 400 (type invalid_request_error, code x_y, param temperature): Unsupported value."


@pytest.mark.parametrize("body", [b'{"error": "boom"}', b'{"detail": "boom"}', b'{"message": "boom"}'])
def test_compatible_servers_word_errors_in_their_own_ways(body: bytes) -> None:
    """Their message is found all the same."""
    assert "boom" in describe_error(400, read_error_body(body)).detail


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        ("Invalid input: 'Anna Karenina'", "My name is Anna Karenina and I am cross."),
        ("Could not parse anna@example.org here", "write to anna@example.org please"),
        ("Card 4111111111111111 is odd", "it is 4111111111111111, thanks"),
        ("why is my order so late again, I ask", "Hello. Why? why is my order so late again, I ask you."),
        ("bad: late", "late"),
    ],
)
def test_a_message_that_repeats_the_request_is_withheld(message: str, sent: str) -> None:
    """Whole texts, quotations, long runs, numbers and addresses."""
    body = b'{"error": {"message": "' + message.encode() + b'"}}'
    detail = describe_error(400, read_error_body(body), withheld=["", "abc", sent]).detail
    assert "withheld" in detail
    assert message not in detail


def test_a_message_about_the_request_itself_is_shown() -> None:
    """It is what its author needs."""
    body = b'{"error": {"message": "`temperature` is deprecated for this model."}}'
    assert "`temperature` is deprecated" in describe_error(400, read_error_body(body), withheld=["Where is my order?"]).detail


def test_an_authentication_error_shows_no_message() -> None:
    """Providers quote parts of keys there."""
    body = b'{"error": {"message": "Incorrect API key provided: sk-abc***xyz", "code": "invalid_api_key"}}'
    failure = describe_error(401, read_error_body(body))
    assert failure.detail == "HTTP 401 (code invalid_api_key)"


def test_a_long_message_is_cut() -> None:
    """A server may send a page."""
    assert len(describe_error(500, read_error_body(b'{"message": "' + b"x " * 5000 + b'"}')).detail) < 400


def test_a_redirect_is_told_with_its_remedy() -> None:
    """It is not followed: requests go only where the configuration says."""
    assert "base_url" in describe_error(307, read_error_body(b"")).detail


NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:14:20 GMT"}, 60.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:00:00 GMT"}, 0.0),
        ({"retry-after": "Tue, 99 Nov 2023 22:14:20 GMT"}, None),
    ],
)
def test_how_long_a_provider_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    """Milliseconds, seconds or a date; what cannot be read is no wish."""
    assert parse_retry_after(headers, now_s=NOW) == seconds
