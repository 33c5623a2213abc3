"""The process that decodes EVTX chunks, so that a fault of the native decoder takes only this process down.

Run as a program. Standard input: for each chunk a length (4 bytes, little-endian) and that many bytes. Standard
output: for each chunk one line of JSON, `{"records": [[record id, event as JSON text], ...], "problem": text}`.
"""

import io
import json
import resource
import signal
import struct
import sys
import warnings
import zlib

MEMORY_BYTES = 1024 * 1024 * 1024
CHUNK_SECONDS = 10
OUTPUT_CHARS = 32 * 1024 * 1024  # of one chunk of 64 KiB; templates inside templates could make more
HEADER_BYTES = 4096


def make_header() -> bytes:
    """Write the header of a file of one chunk ([MS-EVEN6] appendix; libyal's description of the format)."""
    header = bytearray(HEADER_BYTES)
    struct.pack_into("<8sQQQIHHHH", header, 0, b"ElfFile\0", 0, 0, 1, 128, 1, 3, HEADER_BYTES, 1)
    struct.pack_into("<I", header, 124, zlib.crc32(bytes(header[:120])))
    return bytes(header)


def decode_chunk(header: bytes, chunk: bytes) -> tuple[list[tuple[int, str]], str]:
    """Decode the records of one chunk; what went wrong is said in words, empty when nothing did."""
    from evtx import PyEvtxParser

    records: list[tuple[int, str]] = []
    size = 0
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            parser = PyEvtxParser(io.BytesIO(header + chunk), number_of_threads=1, skip_errors=True)
            for record in parser.records_json():
                if record is None:
                    continue
                size += len(record["data"])
                if size > OUTPUT_CHARS:
                    return records, "more text than a chunk can hold"
                records.append((record["event_record_id"], record["data"]))
        except BaseException as error:  # noqa: BLE001 - a panic of the decoder is no Exception; it is reported here
            return records, f"{type(error).__name__}: {error}"[:300]
    return records, str(warned[0].message)[:300] if warned else ""


def main() -> None:
    """Answer chunks until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    header = make_header()
    while len(length := sys.stdin.buffer.read(4)) == 4:
        chunk = sys.stdin.buffer.read(struct.unpack("<I", length)[0])
        signal.alarm(CHUNK_SECONDS)  # its default action ends the process
        records, problem = decode_chunk(header, chunk)
        signal.alarm(0)
        sys.stdout.write(json.dumps({"records": records, "problem": problem}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
