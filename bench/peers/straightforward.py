"""Repairs a segment the plain way: zfec decodes and encodes, hashlib hashes what is read and what is written.

Reads lines from standard input; for each does one repair and prints the thread's processor seconds.
Arguments: k, n, how many shares are missing, the block's bytes.
"""

import hashlib
import os
import sys
import time

import zfec

k, n, missing, length = (int(word) for word in sys.argv[1:5])
tag = b"29:allmydata_encoded_subshare_v1,"
data = [os.urandom(length) for _ in range(k)]
shares = zfec.Encoder(k, n).encode(data)
wanted = list(range(n - missing, n))
sources = list(range(n - missing - k, n - missing))


def block_hash(block):
    return hashlib.sha256(hashlib.sha256(tag + block).digest()).digest()


encoder, decoder = zfec.Encoder(k, n), zfec.Decoder(k, n)
for _ in sys.stdin:
    begin = time.thread_time()
    read = [block_hash(shares[number]) for number in sources]
    made = encoder.encode(decoder.decode([shares[number] for number in sources], sources), wanted)
    written = [block_hash(block) for block in made]
    spent = time.thread_time() - begin
    assert made == [shares[number] for number in wanted] and len(read) + len(written) == k + missing
    print(spent, flush=True)
