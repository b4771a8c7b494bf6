# SPDX-License-Identifier: MIT
"""libcanary from Python without the binding, and the floors under it. PEER_WHAT is `ctypes`, a
plain ctypes call; `hashlib`, the rule in three lines of Python, which follows no rollout; or
`empty`, a method of str in C that does next to nothing, which is what the loop itself costs."""
import ctypes
import os

import harness

what = os.environ["PEER_WHAT"]
if what == "ctypes":
    library = ctypes.CDLL(os.environ["PEER_LIBRARY"])
    library.canary_version.restype = ctypes.c_char_p
    version = library.canary_version().decode()
    opened = ctypes.c_void_p()
    code = library.canary_open(
        os.environ["PEER_STORE"].encode(), b"checkout", None, ctypes.byref(opened), None)
    assert code == 0, code
    function = library.canary_should_use_new_n
    function.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint64)

    def decide(user, function=function, ctx=opened.value):
        user = user.encode()
        return function(ctx, user, len(user))
elif what == "hashlib":
    from hashlib import sha256

    version = "-"

    def decide(user):
        return int.from_bytes(sha256(user.encode()).digest()[:4], "big") % 100 < 25
else:
    version = "-"
    decide = str.isspace

harness.run(version, decide)
