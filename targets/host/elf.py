"""Which symbols an ELF object file needs from elsewhere."""

from __future__ import annotations

import struct

_SHT_SYMTAB = 2
_SHN_UNDEF = 0


def undefined_symbols(data: bytes) -> tuple[str, ...]:
    """Names of the undefined symbols of a 64-bit little-endian relocatable ELF file, sorted.

    Raises ValueError where ``data`` is not such a file. Layout: System V ABI, "Object Files".
    """
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a 64-bit little-endian ELF file")
    (section_offset,) = struct.unpack_from("<Q", data, 0x28)
    entry_size, count = struct.unpack_from("<HH", data, 0x3A)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, section_offset + i * entry_size) for i in range(count)]
    names = set()
    for _, kind, _, _, offset, size, link, _, _, symbol_size in headers:
        if kind != _SHT_SYMTAB:
            continue
        strings = headers[link][4]
        for at in range(offset + symbol_size, offset + size, symbol_size):  # symbol 0 is the null symbol
            name, _, _, section = struct.unpack_from("<IBBH", data, at)
            if section == _SHN_UNDEF and name:
                start = strings + name
                names.add(data[start : data.index(b"\0", start)].decode())
    return tuple(sorted(names))
