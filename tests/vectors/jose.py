"""Makes and reads documents with two JOSE libraries that this project did not write.

    jose.py make FOLDER                     the files of this folder, with a new key
    jose.py sign LIBRARY ALG TYP KEY.pem    claims on standard input, document on standard output
    jose.py verify LIBRARY PUBLIC.pem       document on standard input, {"header", "claims"} on standard output
    jose.py thumbprint PUBLIC.pem           by joserfc

LIBRARY is pyjwt or joserfc: pip install 'pyjwt[crypto]' joserfc
"""

import json
import pathlib
import subprocess
import sys
import warnings

import jwt
from joserfc import jws
from joserfc.jwk import OKPKey

# RFC 9864 calls `EdDSA` deprecated in favour of `Ed25519`; both are in use, so both are tested.
warnings.simplefilter("ignore")


def thumbprint(pem):
    return OKPKey.import_key(pem).thumbprint()


def sign(library, alg, typ, pem, claims):
    header = {"alg": alg, "typ": typ, "kid": thumbprint(pem)}
    if library == "pyjwt":
        return jwt.encode(claims, pem, algorithm=alg, headers=header)
    payload = json.dumps(claims).encode()
    return jws.serialize_compact(header, payload, OKPKey.import_key(pem), algorithms=[alg])


def verify(library, pem, text):
    if library == "pyjwt":
        read = jwt.decode_complete(text, pem, algorithms=["EdDSA"], options={"verify_iat": False})
        return {"header": read["header"], "claims": read["payload"]}
    read = jws.deserialize_compact(text, OKPKey.import_key(pem), algorithms=["EdDSA"])
    return {"header": read.headers(), "claims": json.loads(read.payload)}


def make(folder):
    private, public = folder / "openssl-private.pem", folder / "openssl-public.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    pem = private.read_text()
    for name, library, alg in [
        ("pyjwt", "pyjwt", "EdDSA"),
        ("joserfc", "joserfc", "EdDSA"),
        ("joserfc-ed25519", "joserfc", "Ed25519"),
    ]:
        for kind in ["subscription", "licence"]:
            claims = json.loads((folder / f"{kind}.claims.json").read_text())
            text = sign(library, alg, f"svm-{kind}+jws", pem, claims)
            (folder / f"{name}.{kind}.jws").write_text(text)
    (folder / "thumbprint.txt").write_text(thumbprint(public.read_text()))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make", folder]:
            make(pathlib.Path(folder))
        case ["sign", library, alg, typ, key]:
            pem = pathlib.Path(key).read_text()
            print(sign(library, alg, typ, pem, json.load(sys.stdin)), end="")
        case ["verify", library, key]:
            pem = pathlib.Path(key).read_text()
            json.dump(verify(library, pem, sys.stdin.read()), sys.stdout)
        case ["thumbprint", key]:
            print(thumbprint(pathlib.Path(key).read_text()), end="")
        case _:
            sys.exit(__doc__)
