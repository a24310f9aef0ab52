"""The head of an HTTP/1 request: bytes in, a ``Head`` out, or a ``Refusal`` (RFC 9112).

The laws of this file:

* What two servers could read differently is refused, never guessed: bare CR or LF, folded
  lines, a repeated or odd ``Content-Length``, ``Content-Length`` beside ``Transfer-Encoding``.
* The request target stays as it came; only an absolute form loses its scheme and authority.
* Everything has a limit, and each limit its own status: 414 for the line, 431 for the fields.
"""

from __future__ import annotations

from dataclasses import dataclass

from cyme.api.problems import Refusal

REQUEST_LINE_BYTES_MAX = 16 * 1024
HEAD_BYTES_MAX = 64 * 1024
FIELDS_MAX = 100

HEAD_END = b"\r\n\r\n"
_TLS_HANDSHAKE = 0x16
_CONTENT_LENGTH_DIGITS_MAX = 18

#: RFC 9110, section 5.6.2: the characters of a token, which verbs and field names are.
_NAME_CHARACTERS = (
    "!#$%&'*+-.^_`|~0123456789"
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)  # fmt: skip

#: What a request target may consist of. Bytes over ASCII are no URI, yet clients send them.
_TARGET_BYTES = bytes(byte for byte in range(0x21, 0x100) if byte not in b"#\x7f")

#: What nothing in a head may contain; CR and LF only end its lines.
_CONTROLS = bytes(byte for byte in (*range(0x20), 0x7F) if byte not in b"\t\r\n")

#: Fields that mean something only once. Two of them are an attack or a mistake.
_SINGLE = frozenset(
    {
        "HTTP_AUTHORIZATION",
        "HTTP_CONTENT_LENGTH",
        "HTTP_CONTENT_TYPE",
        "HTTP_EXPECT",
        "HTTP_HOST",
        "HTTP_IDEMPOTENCY_KEY",
        "HTTP_ORIGIN",
        "HTTP_REFERER",
        "HTTP_SEC_FETCH_SITE",
        "HTTP_TRANSFER_ENCODING",
    }
)


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request.

    Attributes:
        method: The verb, as it came.
        target: Path and query as they came, Latin-1; it begins with ``/``.
        version: ``HTTP/1.0`` or ``HTTP/1.1``.
        fields: The header fields under their CGI names (``HTTP_ACCEPT``).
        content_length: Bytes of the body; None when it is chunked.
        keeps_alive: Whether the client wishes to send another request.
    """

    method: str
    target: str
    version: str
    fields: dict[str, str]
    content_length: int | None
    keeps_alive: bool


def find_head_end(buffer: bytearray, searched: int) -> int:
    """Return where the head ends in ``buffer``, its empty line included, or -1 if it goes on.

    Args:
        buffer: What has come so far, without empty lines before the request line.
        searched: How much of it an earlier call has seen.

    Raises:
        Refusal: It can no longer become a head that is accepted.
    """
    end = buffer.find(HEAD_END, max(0, searched - 3))
    if 0 <= end <= HEAD_BYTES_MAX - len(HEAD_END):
        return end + len(HEAD_END)
    if buffer and buffer[0] == _TLS_HANDSHAKE:
        raise Refusal(400, "This port speaks plain HTTP; use http:// in the URL.")
    if b"\r\n" not in buffer and len(buffer) > REQUEST_LINE_BYTES_MAX:
        raise _line_too_long()
    if len(buffer) > HEAD_BYTES_MAX:
        raise Refusal(
            431, f"The header fields exceed {HEAD_BYTES_MAX} bytes; send fewer or shorter ones."
        )
    if buffer.count(b"\n") != buffer.count(b"\r\n"):
        raise _bare_line_end()
    return -1


def parse_head(block: bytes) -> Head:
    """Read the head of a request.

    Args:
        block: The whole head, its empty line included.

    Raises:
        Refusal: It is not well-formed, exceeds a limit, or asks for what is not served.
    """
    if block.count(b"\r\n") != block.count(b"\n") or block.count(b"\r\n") != block.count(b"\r"):
        raise _bare_line_end()
    if len(block.translate(None, _CONTROLS)) != len(block):
        raise Refusal(400, "The request's head contains a control character.")
    line, *lines = block[: -len(HEAD_END)].decode("latin-1").split("\r\n")
    if len(lines) > FIELDS_MAX:
        raise Refusal(431, f"There are {len(lines)} header fields; at most {FIELDS_MAX} are read.")
    method, target, version = _request_line(line)
    fields = _fields(lines)
    target, authority = _origin_form(method, target)
    if authority is not None:
        fields["HTTP_HOST"] = authority
    elif "HTTP_HOST" not in fields and version == "HTTP/1.1":
        raise Refusal(400, "The request has no Host header, which HTTP/1.1 demands.")
    return Head(
        method=method,
        target=target,
        version=version,
        fields=fields,
        content_length=_body_length(fields, version),
        keeps_alive=_keeps_alive(fields, version),
    )


def _request_line(line: str) -> tuple[str, str, str]:
    if len(line) > REQUEST_LINE_BYTES_MAX:
        raise _line_too_long()
    words = line.split(" ")
    if len(words) != 3 or not words[0] or words[0].strip(_NAME_CHARACTERS):  # noqa: PLR2004 - RFC 9112, 3
        raise Refusal(400, "The request line is not 'METHOD target HTTP/1.1'.")
    method, target, version = words
    if version not in {"HTTP/1.1", "HTTP/1.0"}:
        if version.startswith("HTTP/"):
            raise Refusal(505, f"{version!r} is not spoken here; use HTTP/1.1.")
        raise Refusal(400, "The request line does not end with HTTP/1.1.")
    if target.encode("latin-1").translate(None, _TARGET_BYTES):
        raise Refusal(400, "The request target must percent-encode '#', blanks and controls.")
    return method, target, version


def _origin_form(method: str, target: str) -> tuple[str, str | None]:
    """Return the target as a path, and the authority that it named if it was absolute."""
    if target.startswith("/"):
        return target, None
    if target == "*" and method == "OPTIONS":
        return "/", None
    scheme, separator, rest = target.partition("://")
    if separator and scheme.lower() in {"http", "https"}:
        authority, slash, path = rest.partition("/")
        if authority and "?" not in authority and "@" not in authority:
            return slash + path or "/", authority
    raise Refusal(400, "The request target must be a path that begins with '/'.")


def _fields(lines: list[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name.strip(_NAME_CHARACTERS):
            raise Refusal(400, _why_no_field(line))
        if "_" in name:
            # Its CGI name would be that of the field with dashes: a way past every check.
            continue
        key = "HTTP_" + name.upper().replace("-", "_")
        value = value.strip(" \t")
        if key not in fields:
            fields[key] = value
        elif key in _SINGLE:
            raise Refusal(400, f"The header {name} is there twice.")
        else:
            fields[key] += ("; " if key == "HTTP_COOKIE" else ", ") + value
    return fields


def _why_no_field(line: str) -> str:
    if line[:1] in {" ", "\t"}:
        return "A header field is folded over two lines; put it on one."
    return "A header line is not 'Name: value'."


def _body_length(fields: dict[str, str], version: str) -> int | None:
    coding = fields.get("HTTP_TRANSFER_ENCODING")
    length = fields.get("HTTP_CONTENT_LENGTH")
    if coding is None:
        if length is None:
            return 0
        if not (length.isascii() and length.isdigit()) or len(length) > _CONTENT_LENGTH_DIGITS_MAX:
            raise Refusal(400, "The Content-Length is not a number of bytes.")
        return int(length)
    if length is not None:
        raise Refusal(400, "Content-Length and Transfer-Encoding exclude each other.")
    if version == "HTTP/1.0":
        raise Refusal(400, "HTTP/1.0 knows no Transfer-Encoding; send a Content-Length.")
    if coding.lower() != "chunked":
        raise Refusal(501, "The only Transfer-Encoding understood is 'chunked'.")
    return None


def _keeps_alive(fields: dict[str, str], version: str) -> bool:
    wish = fields.get("HTTP_CONNECTION")
    if wish is None:
        return version == "HTTP/1.1"
    tokens = {token.strip().lower() for token in wish.split(",")}
    if version == "HTTP/1.0":
        return "keep-alive" in tokens
    return "close" not in tokens


def _line_too_long() -> Refusal:
    return Refusal(
        414,
        f"The request line exceeds {REQUEST_LINE_BYTES_MAX} bytes; "
        "send the parameters in the body instead.",
    )


def _bare_line_end() -> Refusal:
    return Refusal(400, "The lines of a request's head must end with CR LF.")
