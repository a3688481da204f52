#!/usr/bin/env python3
"""Writes model/tokenizer/html_entities.c from Python's table of HTML 5 character references. Run it when the standard adds names:
    python3 scripts/make_html_entities.py > model/tokenizer/html_entities.c"""
import html.entities


def quote(text):
    octets = text.encode()
    # octal escapes, because they end after three digits; a hexadecimal escape would absorb a following letter
    return '"' + "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\' else "\\%03o" % b for b in octets) + '"'


names = sorted(html.entities.html5, key=str.encode)
print("/* Written by scripts/make_html_entities.py; the names are those of the HTML standard. */")
print('#include "model/tokenizer/html.h"\n')
print("/* clang-format off */")
print("const atl_html_entity_t atl_html_entities[] = {")
row = ""
for name in names:
    entry = "{%s, %s}, " % (quote(name), quote(html.entities.html5[name]))
    if len(row) + len(entry) > 118:
        print("  " + row.rstrip())
        row = ""
    row += entry
print("  " + row.rstrip())
print("};")
print("/* clang-format on */")
print("const size_t atl_html_n_entities = sizeof atl_html_entities / sizeof atl_html_entities[0];")
