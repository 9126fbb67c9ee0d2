"""Regenerates shares the plain way: zfec decodes and encodes segment by segment, hashlib hashes what is read and what is made.

Reads lines `first count` of segments from standard input; for each prints the process's CPU seconds and the elapsed ones.
Arguments: k, n, the block's bytes, where blocks begin in a file, the first wanted share, how many, then k times number=file.
"""

import hashlib
import sys
import time

import zfec

k, n, length, offset, first_wanted, wanted_count = (int(word) for word in sys.argv[1:7])
sources = [(int(number), open(path, "rb")) for number, path in (word.split("=", 1) for word in sys.argv[7:])]
numbers = [number for number, _ in sources]
wanted = list(range(first_wanted, first_wanted + wanted_count))
block_tag = b"29:allmydata_encoded_subshare_v1,"
segment_tag = b"30:allmydata_crypttext_segment_v1,"
encoder, decoder = zfec.Encoder(k, n), zfec.Decoder(k, n)


def tagged(tag, *parts):
    inner = hashlib.sha256(tag)
    for part in parts:
        inner.update(part)
    return hashlib.sha256(inner.digest()).digest()


for line in sys.stdin:
    first, count = (int(word) for word in line.split())
    begin = time.process_time(), time.monotonic()
    for segment in range(first, first + count):
        blocks = []
        for _, file in sources:
            file.seek(offset + segment * length)
            blocks.append(file.read(length))
        hashes = [tagged(block_tag, block) for block in blocks]
        primary = decoder.decode(blocks, numbers)
        hashes.append(tagged(segment_tag, *primary))
        made = encoder.encode(primary, wanted)
        hashes.extend(tagged(block_tag, block) for block in made)
        assert len(hashes) == k + 1 + wanted_count
    print(time.process_time() - begin[0], time.monotonic() - begin[1], flush=True)
