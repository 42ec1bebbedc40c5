"""Reads texts back with what a machine would read them with: PyYAML, cloud-init's own code, Jinja, crypt(3).

One request a line on stdin, one answer a line on stdout, both JSON. Bytes travel as base64.
"""

import base64
import json
import sys
import warnings

warnings.simplefilter("ignore")

import yaml  # noqa: E402

try:
    from cloudinit import handlers, templater, user_data, util
except ImportError:
    user_data = None

try:
    import crypt
except ImportError:
    crypt = None


def tagged(value):
    """Keeps what JSON would lose: the type of everything, and keys that are no strings."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return [tagged(item) for item in value]
    if isinstance(value, dict):
        return {"map": [[tagged(key), tagged(item)] for key, item in value.items()]}
    return {type(value).__name__: repr(value)}


def parts(blob):
    """What cloud-init's user-data processor makes of a document: content type and text of each part."""
    message = user_data.UserDataProcessor(None).process(blob)
    found = []
    for part in message.walk():
        if part.get_content_maintype() == "multipart":
            continue
        payload = util.fully_decoded_payload(part)
        if isinstance(payload, str):
            payload = payload.encode("utf-8", "surrogateescape")
        found.append([part.get_content_type(), base64.b64encode(payload or b"").decode()])
    return found


def answer(request):
    text = request.get("text")
    match request["do"]:
        case "yaml":
            return tagged(yaml.safe_load(text))
        case "parts":
            return parts(base64.b64decode(text))
        case "jinja":
            return templater.render_string(text, request["variables"])
        case "crypt":
            return crypt.crypt(text, request["salt"])
        case "has":
            return {"cloudinit": user_data is not None, "crypt": crypt is not None}


for line in sys.stdin:
    try:
        result = {"ok": answer(json.loads(line))}
    except Exception as error:  # a document that can't be read is an answer too
        result = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(result), flush=True)
