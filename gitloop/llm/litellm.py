"""Chat completions through litellm, for providers without an OpenAI-compatible route.

Retries, limits and budgets stay ours: litellm translates one call at a time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or its import fetches a price list

import litellm

from gitloop.llm.settings import DEFAULT_URL, Settings
from gitloop.llm.transport import BrokenError, Reply, TooLateError


class LitellmTransport:
    """Posts chat completions through litellm.

    Args:
        settings: How the endpoint is reached; without a base_url, litellm knows where.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        given = {"api_base": settings.base_url, "api_key": settings.api_key}
        self._given = {
            name: value for name, value in given.items() if value and value != DEFAULT_URL
        }

    def post(self, path: str, payload: Mapping[str, Any]) -> Reply:  # noqa: ARG002 -- always a chat
        """The reply to a chat completion's payload.

        Raises:
            TooLateError: No answer within timeout_s.
            BrokenError: The connection failed.
        """
        try:
            answer = litellm.completion(
                **payload,
                **self._given,
                timeout=self._settings.timeout_s,
                max_retries=0,
                num_retries=0,
                drop_params=True,
            )
        except litellm.exceptions.Timeout as error:
            raise TooLateError(f"no answer within {self._settings.timeout_s:g} s") from error
        except litellm.exceptions.APIConnectionError as error:
            raise BrokenError(" ".join(str(error).split())[:200]) from error
        except Exception as error:
            status = getattr(error, "status_code", None)
            if not isinstance(status, int):
                raise BrokenError(" ".join(f"{type(error).__name__}: {error}".split())) from error
            response = getattr(error, "response", None)
            headers = getattr(response, "headers", None) or {}
            body = json.dumps({"error": {"message": str(error)}}).encode()
            return Reply(status, str(headers.get("retry-after", "")), body)
        return Reply(200, "", answer.model_dump_json().encode())

    def close(self) -> None:
        """Nothing: litellm keeps its connections."""
