"""Why a URL was not requested. Their arguments are text alone, which JSON and pickle can hold."""

from __future__ import annotations


class WebhookError(Exception):
    """A URL could not be requested."""


class WebhookFailed(WebhookError):
    """The target cannot be reached, or gives no complete HTTP answer in time."""


class WebhookForbidden(WebhookError):
    """The URL leads to where this worker may not go."""


class WebhookInvalid(WebhookError):
    """The request cannot be made as it is given."""
