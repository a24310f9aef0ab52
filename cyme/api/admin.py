"""The page: its files, and the sessions of those who use it."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NoReturn

import falcon
import gevent
import msgspec

import cyme
from cyme.api.auth import Authenticator
from cyme.api.operations import Request, operation
from cyme.api.page_files import INDEX, PageFile, page_files
from cyme.api.problems import Refusal
from cyme.api.replies import answer
from cyme.api.representations.deeds import Ok
from cyme.api.sessions import Sessions, Tokens, check_csrf, is_secure
from cyme.core.access import Caller
from cyme.errors import InvalidRequest, NotAuthenticated
from cyme.runtime.cluster.ration import Ration
from cyme.runtime.service import Service

logger = logging.getLogger(__name__)

ROOT = "/admin"

#: What the page's files may load and do: files and data of this branch, and nothing else.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_PAGE_HEADERS = (
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("cross-origin-opener-policy", "same-origin"),
    ("referrer-policy", "same-origin"),
    # Kept by the browser and asked for again each time, so that a new version shows at once.
    ("cache-control", "no-cache"),
)

#: A failed login is answered after so long, in seconds, doubled with each one of its address that
#: is under way; beyond so many at a time it is answered at once.
_DELAY_S = 0.25
_DELAY_S_MAX = 4.0
_DELAYED_PER_ADDRESS_MAX = 5
_DELAYED_MAX = 50

#: Of one token so many logins and logouts are told of at once, and then so many a second: nobody
#: pushes what others did out of the journal.
_TOLD_AT_ONCE_MAX = 20
_TOLD_PER_S = 1 / 60
_NAMES_MAX = 2_000

_LOG_PERIOD_S = 10.0
_TOKEN_CHARS_MAX = 512
_STATUS_NOT_MODIFIED = 304
_STATUS_TOO_MANY = 429


class SessionParameters(msgspec.Struct, frozen=True):
    """What opens a session."""

    token: Annotated[str, msgspec.Meta(description="a token of this branch")]


class SessionReply(msgspec.Struct, frozen=True, kw_only=True):
    """Who uses the page.

    Attributes:
        name: The name of the token, or ``local`` on a branch that asks for none.
        role: What it may do.
        csrf: What requests that change something show in ``X-CSRF-Token``; empty without a
            session, where none is needed.
        open: Whether this branch needs no login.
        branch: The branch that serves the page.
        cluster: The cluster's name.
        version: The version of Cyme.
    """

    name: str
    role: str
    csrf: str
    open: bool
    branch: str
    cluster: str
    version: str


def is_page(path: str) -> bool:
    """Tell whether a path belongs to the page, whose files need no token."""
    return path == ROOT or path.startswith(f"{ROOT}/")


def is_visit(env: Mapping[str, Any]) -> bool:
    """Tell whether a browser opens the page itself, maybe by a link on another site.

    The files hold no secret and do nothing before their own requests are let in.

    Args:
        env: The request's WSGI environment.
    """
    return (
        env.get("REQUEST_METHOD") in {"GET", "HEAD"}
        and is_page(str(env.get("PATH_INFO", "")))
        and env.get("HTTP_SEC_FETCH_MODE", "navigate") == "navigate"
        and env.get("HTTP_SEC_FETCH_DEST", "document") == "document"
        and "HTTP_ORIGIN" not in env
        and not str(env.get("PATH_INFO", "")).startswith(f"{ROOT}/session")
    )


class Page:
    """The files of the page."""

    def __init__(self) -> None:
        self._files: Mapping[str, PageFile] = page_files()

    def on_get(self, req: Request, resp: falcon.Response, screen: str = "") -> None:
        """Answer with the page, whatever the screen: the page itself tells them apart."""
        self._answer(req, resp, self._files[INDEX])

    def on_get_static(self, req: Request, resp: falcon.Response, path: str) -> None:
        """Answer with one of the page's files."""
        file = self._files.get(path)
        if file is None:
            raise falcon.HTTPRouteNotFound
        self._answer(req, resp, file)

    @staticmethod
    def _answer(req: Request, resp: falcon.Response, file: PageFile) -> None:
        for name, value in _PAGE_HEADERS:
            resp.set_header(name, value)
        resp.set_header("ETag", file.tag)
        if file.tag in str(req.env.get("HTTP_IF_NONE_MATCH", "")):
            resp.status = _STATUS_NOT_MODIFIED
            return
        resp.content_type = file.media_type
        resp.data = file.content

    on_head = on_get
    on_head_static = on_get_static


class PageSession:
    """Logging in and out.

    A failed login costs its sender time and nobody else: whoever shows a good token is let in at
    once, however many others fail beside it from the same address. A token is 256 bits of chance,
    so the delay is there to keep the noise down and not because anyone could guess.
    """

    def __init__(
        self,
        service: Service,
        *,
        tokens: Tokens,
        sessions: Sessions,
        authenticator: Authenticator,
        pause: Callable[[float], object] = gevent.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._tokens = tokens
        self._sessions = sessions
        self._authenticator = authenticator
        self._pause = pause
        self._monotonic = monotonic
        self._delayed: Counter[str] = Counter()
        self._rations: dict[str, Ration] = {}
        self._failures = 0
        self._logged_at = -_LOG_PERIOD_S

    @operation("Tell who uses the page", role=None, takes=None, gives=SessionReply)
    def on_get(self, req: Request, resp: falcon.Response) -> None:
        """Tell who uses the page, and what the branch needs of them."""
        caller = self._authenticator.caller(req.env)
        found = self._sessions.find(req.env)
        answer(resp, self._reply(caller, found[0].csrf if found else ""))

    @operation("Log in to the page", role=None, takes=SessionParameters, gives=SessionReply)
    def on_post(self, req: Request, resp: falcon.Response) -> None:
        """Begin a session for a token, which comes in the body alone."""
        if req.query_string:
            raise InvalidRequest.of("token", "must come in the body; URLs end up in logs")
        token = req.given["token"]
        caller = self._tokens.authenticate(token) if len(token) <= _TOKEN_CHARS_MAX else None
        if caller is None:
            self._refuse(str(req.env.get("REMOTE_ADDR", "?")))
        self._sessions.end(req.env)
        session, cookie = self._sessions.begin(token, secure=is_secure(req.env))
        self._tell("session.began", caller, f"{caller.name} logged in to the page")
        resp.append_header("Set-Cookie", cookie)
        answer(resp, self._reply(caller, session.csrf))

    @operation("Log out of the page", role=None, takes=None, gives=Ok)
    def on_delete(self, req: Request, resp: falcon.Response) -> None:
        """End the session, if there is one."""
        found = self._sessions.find(req.env)
        if found is not None:
            session, caller = found
            check_csrf(session, req.env)
            self._tell("session.ended", caller, f"{caller.name} logged out of the page")
        resp.append_header("Set-Cookie", self._sessions.end(req.env))
        answer(resp, Ok())

    def _tell(self, kind: str, caller: Caller, reason: str) -> None:
        if len(self._rations) >= _NAMES_MAX:
            self._rations.clear()
        ration = self._rations.setdefault(caller.name, Ration(_TOLD_AT_ONCE_MAX, _TOLD_PER_S))
        if ration.take(self._monotonic()):
            self._service.tell_session(kind, caller, reason)

    def _reply(self, caller: Caller, csrf: str) -> SessionReply:
        return SessionReply(
            name=caller.name,
            role=caller.role.label,
            csrf=csrf,
            open=self._authenticator.open_access,
            branch=self._service.branch_id,
            cluster=self._service.cluster().name,
            version=cyme.__version__,
        )

    def _refuse(self, address: str) -> NoReturn:
        """Refuse a login after a while.

        Raises:
            NotAuthenticated: The token is not known.
            Refusal: Too many logins from the address fail at this moment.
        """
        self._count_failure(address)
        under_way = self._delayed[address]
        if under_way >= _DELAYED_PER_ADDRESS_MAX or self._delayed.total() >= _DELAYED_MAX:
            raise Refusal(
                _STATUS_TOO_MANY,
                "Too many logins fail at this moment. Wait a little; a good token is let in at "
                "once.",
                {"Retry-After": str(int(_DELAY_S_MAX))},
            )
        self._delayed[address] += 1
        try:
            self._pause(min(_DELAY_S * 2**under_way, _DELAY_S_MAX))
        finally:
            self._delayed[address] -= 1
            if not self._delayed[address]:
                del self._delayed[address]
        raise NotAuthenticated(
            "This token is not known here, or was revoked. Whoever looks after the branch makes "
            "one: cyme-branch token create NAME --role operator"
        )

    def _count_failure(self, address: str) -> None:
        self._failures += 1
        now = self._monotonic()
        if now - self._logged_at >= _LOG_PERIOD_S:
            self._logged_at = now
            logger.warning(
                "A login to the page from %s showed an unknown token; %d did since the start",
                address,
                self._failures,
            )

    on_head = on_get
