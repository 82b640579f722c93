"""What schemathesis must do otherwise because of this API's rules."""

import re
import uuid

import schemathesis

KEY = "Idempotency-Key"


def stateful(case):
    return case.meta is not None and case.meta.phase.name == "stateful"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Sequences of calls name each request anew. A name that is drawn again gets the answer of the first time, as it should; when
    another sequence has deleted that resource since, the check of deleted resources takes this for a fault."""
    if stateful(case) and re.fullmatch("[!-~]{1,255}", case.headers.get(KEY, "")):
        case.headers[KEY] = str(uuid.uuid4())


@schemathesis.hook
def filter_case(context, case):
    """An address of more than 64 KiB is refused before anybody reads it, with a 414 that no operation lists."""
    return len(str(case.query or "")) < 8_000


@schemathesis.hook
def after_call(context, case, response):
    if stateful(case) and "idempotency-replayed" in response.headers:
        raise AssertionError(f"{case.operation.label}: a key was drawn twice in the stateful phase")
