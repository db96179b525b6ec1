"""Verifies assertions of the gateway by the document of its keys. It needs the package
`cryptography`. Run:

    python3 verify.py URL AUDIENCE

It reads assertions, one a line, and writes for each the user as JSON (null where nobody is signed
in) or the reason why it is rejected.
"""

import base64
import json
import sys
import time
import urllib.request

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

LEEWAY = 30
CACHE_SECONDS = 600
PAUSE_SECONDS = 30


class Rejected(Exception):
    pass


def decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def number(part):
    return int.from_bytes(decode(part), "big")


class Keys:
    """The document, read at first use, again after ten minutes, and for an unknown key id."""

    def __init__(self, url):
        self.url = url
        self.keys = {}
        self.read_at = 0.0

    def find(self, kid):
        age = time.monotonic() - self.read_at
        if not self.keys or age > CACHE_SECONDS or (kid not in self.keys and age > PAUSE_SECONDS):
            self.read()
        if kid not in self.keys:
            raise Rejected("unknown key")
        return self.keys[kid]

    def read(self):
        with urllib.request.urlopen(self.url, timeout=3) as response:
            document = json.load(response)
        self.keys = {
            jwk["kid"]: ec.EllipticCurvePublicNumbers(
                number(jwk["x"]), number(jwk["y"]), ec.SECP256R1()
            ).public_key()
            for jwk in document["keys"]
            if jwk.get("kty") == "EC" and jwk.get("crv") == "P-256"
        }
        self.read_at = time.monotonic()


def verify(assertion, keys, audience):
    """Returns the user, or None where nobody is signed in."""
    try:
        head, payload, signature = assertion.split(".")
        header, claims, raw = json.loads(decode(head)), json.loads(decode(payload)), decode(signature)
    except ValueError as error:
        raise Rejected("not a JWT") from error
    # The algorithm is ours to choose, never the sender's.
    if header.get("alg") != "ES256" or header.get("typ") != "gatehouse-assertion+jwt" or len(raw) != 64:
        raise Rejected("header")
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    try:
        keys.find(header.get("kid")).verify(
            utils.encode_dss_signature(r, s), f"{head}.{payload}".encode(), ec.ECDSA(SHA256())
        )
    except InvalidSignature as error:
        raise Rejected("signature") from error
    now = time.time()
    if claims.get("iss") != "gatehouse-gateway" or claims.get("aud") != audience:
        raise Rejected("iss or aud")
    if not (claims["iat"] - LEEWAY <= now <= claims["exp"] + LEEWAY):
        raise Rejected("iat or exp")
    return claims["user"]


if __name__ == "__main__":
    document = Keys(sys.argv[1])
    for line in sys.stdin:
        try:
            print(json.dumps(verify(line.strip(), document, sys.argv[2])))
        except Rejected as reason:
            print(f"rejected: {reason}")
