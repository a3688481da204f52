#!/usr/bin/env python3
"""Writes small files as PyTorch saves them (NAME.pt) and what is in them (NAME.txt), and damaged ones.

    tests/golden/torchfile/make.py tests/golden/torchfile

NAME.txt is what PyTorch itself reads back, as text: one line in the notation that tests/unit/torchfile.c prints too;
or "! STATUS words", when the file must be refused with that status and with a message that has these words.
Made with PyTorch 1.13; any later version serves.
"""
import argparse
import collections
import datetime
import decimal
import functools
import io
import os
import pathlib
import struct
import sys
import zipfile

import numpy as np
import torch

DTYPES = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16",
          torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8",
          torch.bool: "BOOL"}


class Note:
    """Pickles as __main__.Note with attributes."""

    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Slotted:
    __slots__ = ("left", "right")


Pair = collections.namedtuple("Pair", "left right")


def text(s):
    return '"' + "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else
                         "".join("\\%02x" % b for b in c.encode()) for c in s) + '"'


def real(x):
    return "f" + struct.pack(">d", x).hex()


def tensor(t):
    raw = t.detach().contiguous().reshape(-1)
    raw = raw.view(torch.int16) if raw.dtype == torch.bfloat16 else raw
    return DTYPES[t.dtype] + str(list(t.shape)).replace(" ", "") + raw.numpy().tobytes().hex()


def pairs(items):
    return ",".join(describe(k) + ":" + describe(v) for k, v in items)


def bag(name, attributes):
    return "<" + name + ("|" + pairs(attributes.items()) if attributes else "") + ">"


def describe(v):
    if v is None:
        return "None"
    if isinstance(v, bool):
        return str(v)
    if isinstance(v, int):
        if -2**63 <= v < 2**63:
            return str(v)
        return bag("builtins.int", {"little_endian": v.to_bytes(v.bit_length() // 8 + 1, "little", signed=True)})
    if isinstance(v, float):
        return real(v)
    if isinstance(v, str):
        return text(v)
    if isinstance(v, (bytes, bytearray)):
        return "b" + bytes(v).hex()
    if isinstance(v, torch.Tensor):
        return tensor(v)
    if isinstance(v, torch.device):
        return bag("torch.device", {"args": ("cpu",)})
    if isinstance(v, torch.dtype):
        return bag(str(v), {})
    if isinstance(v, Pair):
        return bag("__main__.Pair", {"args": tuple(v)})
    if isinstance(v, Slotted):
        return bag("__main__.Slotted", {"left": v.left, "right": v.right})
    if isinstance(v, list):
        return "[" + ",".join(map(describe, v)) + "]"
    if isinstance(v, tuple):
        return "(" + ",".join(map(describe, v)) + ")"
    if isinstance(v, (set, frozenset)):
        return "s{" + ",".join(sorted(map(describe, v))) + "}"
    if isinstance(v, dict):
        return "{" + pairs(v.items()) + "}"
    if isinstance(v, type):
        return bag(v.__module__ + "." + v.__qualname__, {})
    return bag(type(v).__module__ + "." + type(v).__qualname__, v.__dict__)


def weights():
    g = torch.Generator().manual_seed(7)
    return collections.OrderedDict((n, torch.randn(s, generator=g)) for n, s in
                                   [("emb.weight", (5, 4)), ("out.weight", (3, 4)), ("out.bias", (3,))])


def checkpoint():
    return {"hparams": {"dim": 4, "depth": 2, "attn_types": ("full", "axial_row"), "stable": True, "text": "größe",
                        "shared_attn_ids": ("a", "b"), "ff_dropout": 0.1, "none": None}, "weights": weights()}


def plain():
    return {"ints": [0, 1, 255, 256, 65535, 65536, -1, 2**31 - 1, -2**31, 2**31, -2**31 - 1, 2**63 - 1, -2**63, 2**63,
                     -2**70], "reals": (0.0, -0.0, 1.5, float("inf"), 1e-300), "flags": [True, False, None],
            "texts": ["", "a", 'quote " back \\', "heart ♥ 𝄞", "x" * 300], "bytes": [b"", b"\x00\xff\x80abc", b"y" * 300],
            "bytearray": bytearray(b"\x01\xfe"), "set": {1, 2, 3}, "frozen": frozenset({"p"}), "empty": [[], (), {}, set()],
            "tuples": [(1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)], 7: {"nested": [{"deep": ([{}],)}]},
            "counter": collections.Counter("aab"), "default": collections.defaultdict(list, {"k": [1]}),
            "many": list(range(1200)), "ordered": collections.OrderedDict([("z", 1), ("a", 2)])}


def strided():
    base = torch.arange(24.).reshape(4, 6)
    return {"whole": base, "transposed": base.t(), "column": base[:, 2], "rows": base[1:3], "steps": base[::2, ::3],
            "expanded": torch.arange(3).expand(2, 3), "one": base[1:2, :], "scalar": base[2, 3], "empty": base[:0],
            "permuted": torch.arange(24, dtype=torch.int16).reshape(2, 3, 4).permute(2, 0, 1),
            "ones": torch.arange(4.).reshape(1, 4, 1, 1).transpose(0, 3)}


def dtypes():
    return {name: (torch.arange(6) - 2).to(dtype) if dtype not in (torch.uint8, torch.bool) else
            torch.arange(6).to(dtype) for dtype, name in DTYPES.items()}


def objects():
    slotted = Slotted()
    slotted.left, slotted.right = 1, "r"
    note = Note(name="note", values=[1, 2], weight=torch.ones(2))
    return {"note": note, "again": note, "slotted": slotted, "pair": Pair(1, "two"),
            "space": argparse.Namespace(dim=8, lr=0.5), "device": torch.device("cpu"), "size": torch.Size([2, 3]),
            "dtype": torch.float16, "class": Note}


def others():
    """What training scripts leave beside the tensors."""
    return {"scalar": np.float64(1.5), "array": np.arange(3), "path": pathlib.Path("x/y"), "bytes": bytes([200]),
            "date": datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc), "partial": functools.partial(print, 1),
            "deque": collections.deque([1, 2]), "decimal": decimal.Decimal("1.5"), "range": range(3), "complex": 1j,
            "classes": {torch.nn.Linear: 1}, "state": torch.arange(4, dtype=torch.uint8)}


def attributed():
    t = torch.arange(3.)
    t.note = "kept by PyTorch, dropped by us"
    p = torch.nn.Parameter(torch.ones(2, 2))
    return {"tensor": t, "parameter": p, "frozen": torch.nn.Parameter(torch.zeros(2), requires_grad=False)}


def module():
    m = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.BatchNorm1d(3))
    with torch.no_grad():
        for i, p in enumerate(m.parameters()):
            p.fill_(i + 0.5)
    return m


def without_source(o):
    """Legacy files keep the source text of classes, which is not ours to pass on."""
    return ["pass\n"], 1, "module.py"


torch.serialization.get_source_lines_and_file = without_source


def names(m):
    """The tensors that listing finds, as a dictionary."""
    return {k: v for k, v in m.state_dict().items()}


class Call:
    """Pickles as a call of function(*arguments)."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def archive(pickled, storages=(), compression=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as z:
        for name, data in [("data.pkl", pickled), *((f"data/{k}", d) for k, d in storages), ("version", b"3\n")]:
            info = zipfile.ZipInfo("top/" + name)
            info.compress_type = compression
            z.writestr(info, data)
    return out.getvalue()


def without_debug(saved):
    """TorchScript keeps Python's source text beside its code."""
    z, out = zipfile.ZipFile(io.BytesIO(saved)), io.BytesIO()
    with zipfile.ZipFile(out, "w") as short:
        for name in z.namelist():
            if not name.endswith(".debug_pkl"):
                info = zipfile.ZipInfo(name)
                info.compress_type = z.getinfo(name).compress_type
                short.writestr(info, z.read(name))
    return out.getvalue()


def rezip(saved, compression):
    z = zipfile.ZipFile(io.BytesIO(saved))
    top = z.namelist()[0].split("/")[0] + "/"
    storages = [(n[len(top) + 5:], z.read(n)) for n in z.namelist() if n.startswith(top + "data/")]
    return archive(z.read(top + "data.pkl"), storages, compression)


def saved(v, **options):
    out = io.BytesIO()
    torch.save(v, out, **options)
    return out.getvalue()


def view(offset, size, stride, storage=b"ctorch\nFloatStorage\n", count=b"K\x04", call=b"_rebuild_tensor_v2"):
    """A pickle of one tensor in storage 0 by hand; numbers are up to 64 bit."""
    def number(n):
        return b"\x8a\x08" + struct.pack("<q", n)

    def numbers(t):
        return b"(" + b"".join(map(number, t)) + b"t"
    return (b"\x80\x02ctorch._utils\n" + call + b"\n((X\x07\0\0\0storage" + storage + b"X\x01\0\0\0" + b"0" +
            b"X\x03\0\0\0cpu" + count + b"tQ" + number(offset) + numbers(size) + numbers(stride) +
            b"\x89ccollections\nOrderedDict\n)RtR.")


def one_tensor(*arguments, **options):
    return archive(view(*arguments, **options), [("0", struct.pack("<4f", 1, 2, 3, 4))])


def bomb(levels):
    """A tensor in a list in a list ...: each twice, 2^levels in all."""
    pickled = view(0, (1,), (1,))[:-1] + b"q\x00"
    for _ in range(levels):
        pickled += b"0](h\x00h\x00eq\x00"
    return archive(pickled + b".", [("0", bytes(16))])


def nested(levels):
    return [] if levels == 1 else [nested(levels - 1)]


def good():
    """name -> bytes, value"""
    for protocol in 2, 3, 4, 5:
        yield f"checkpoint-{protocol}", saved(checkpoint(), pickle_protocol=protocol), checkpoint()
        yield f"plain-{protocol}", saved(plain(), pickle_protocol=protocol), plain()
    yield "legacy", saved(checkpoint(), _use_new_zipfile_serialization=False), checkpoint()
    yield "legacy-4", saved(checkpoint(), _use_new_zipfile_serialization=False, pickle_protocol=4), checkpoint()
    yield "legacy-strided", saved(strided(), _use_new_zipfile_serialization=False), strided()
    yield "deflated", rezip(saved(strided()), zipfile.ZIP_DEFLATED), strided()
    for make in strided, dtypes, objects, attributed:
        yield make.__name__, saved(make()), make()
    yield "state-dict", saved(module().state_dict()), dict(module().state_dict())
    shared = torch.arange(4.)
    yield "shared", saved({"a": shared, "b": shared, "half": shared[2:]}), {"a": shared, "b": shared, "half": shared[2:]}
    yield "tensor", saved(shared), shared
    yield "deep-enough", archive(b"\x80\x02" + b"]" * 200 + b"a" * 199 + b"."), nested(200)
    yield "hand", one_tensor(1, (2,), (2,)), torch.tensor([2., 4.])
    yield "hand-v3", archive(view(0, (3,), (1,), storage=b"ctorch.storage\nUntypedStorage\n", count=b"K\x08",
                                  call=b"_rebuild_tensor_v3").replace(b"Rt", b"Rctorch\nint16\nt"),
                             [("0", struct.pack("<4h", 1, 2, 3, 4))]), torch.tensor([1, 2, 3], dtype=torch.int16)
    yield "endless-stride", one_tensor(2, (1, 2, 1), (2**62, 1, 2**62)), torch.tensor([[[3.], [4.]]])


def listed():
    """name -> bytes, tensors by name"""
    yield "module", saved(module()), names(module())
    yield "legacy-module", saved(module(), _use_new_zipfile_serialization=False), names(module())
    for protocol in 2, 4:
        yield f"others-{protocol}", saved(others(), pickle_protocol=protocol), {"state": others()["state"]}
    out = io.BytesIO()
    torch.jit.save(torch.jit.trace(module().eval(), torch.ones(1, 2)), out)
    yield "script", without_debug(out.getvalue()), names(module())


def bad():
    """name -> bytes, expectation"""
    refused = "UNSUPPORTED the pickle asks to run "
    yield "run-system", saved({"a": Call(os.system, "echo owned")}), refused + "posix.system"
    yield "run-system-4", saved({"a": Call(os.system, "x")}, pickle_protocol=4), refused + "posix.system"
    yield "run-eval", saved([Call(eval, "1")]), refused + "builtins.eval"
    yield "run-getattr", saved([Call(getattr, "a", "b")]), refused + "builtins.getattr"
    yield "run-load", saved([Call(torch.load, "x")]), refused + "torch.serialization.load"
    yield "run-inner", archive(b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(cos\nsystem\nN)Nt" + b"R."), refused + "os.system"
    yield "run-itself", archive(b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n"
                                b"_rebuild_from_type_v2\nN)NtR."), refused + "torch._tensor._rebuild_from_type_v2"
    yield "run-legacy", saved([Call(os.system, "x")], _use_new_zipfile_serialization=False), refused + "posix.system"
    yield "run-instance", archive(b"\x80\x02(cos\nsystem\nX\x01\0\0\0xo."), "UNSUPPORTED opcode 0x6f"
    yield "change-class", archive(b"\x80\x02ctorch\nTensor\n}X\x01\0\0\0xK\x01sb."), "UNSUPPORTED asks to change torch.Tensor"
    yield "protocol-0", archive(b"(lp0\nI1\na."), "UNSUPPORTED opcode 0x70"
    yield "protocol-6", archive(b"\x80\x06N."), "UNSUPPORTED protocol 6"
    yield "complex", one_tensor(0, (2,), (1,), storage=b"ctorch\nComplexFloatStorage\n"), "UNSUPPORTED ComplexFloatStorage"
    yield "nine-dimensions", one_tensor(0, (1,) * 9, (1,) * 9), "UNSUPPORTED 9 dimensions"
    yield "cycle", archive(b"\x80\x02]q\x00h\x00a."), "INPUT contains itself"
    yield "cycle-object", archive(b"\x80\x02c__main__\nNote\n)\x81q\x00}X\x01\0\0\0xh\x00sb."), "INPUT contains itself"
    yield "deep", archive(b"\x80\x02" + b"]" * 201 + b"a" * 200 + b"."), "INPUT nested deeper"
    yield "outside", one_tensor(2, (3,), (1,)), "INPUT reaches item 4 of storage 0, which has 4"
    yield "outside-stride", one_tensor(0, (2, 2), (3, 1)), "INPUT reaches item 4"
    yield "outside-overflow", one_tensor(1, (2,), (2**63 - 1,)), "INPUT of storage 0"
    yield "overflow", one_tensor(0, (2**40, 2**40), (0, 0)), "INPUT tensor 0"
    yield "expanded", one_tensor(0, (2**30,), (0,)), "INPUT expanded tensors"
    yield "negative-shape", one_tensor(0, (-1,), (1,)), "INPUT shape"
    yield "negative-offset", one_tensor(-1, (1,), (1,)), "INPUT offset"
    yield "many-items", one_tensor(0, (1,), (1,), count=b"\x8a\x08" + b"\xff" * 7 + b"\x7f"), "INPUT storage 0 of"
    yield "short-storage", archive(view(0, (1,), (1,)), [("0", b"\0\0\x80\x3f")]), "INPUT data/0 has 4 bytes, 16 expected"
    yield "no-storage", archive(view(0, (1,), (1,))), "INPUT expected top/data/0"
    yield "no-pickle", archive(b"N.").replace(b"data.pkl", b"date.pkl"), "INPUT expected a PyTorch archive with a data.pkl"
    yield "checksum", saved(checkpoint()).replace(b"axial_row", b"axial_rov"), "INPUT checksum"
    yield "underflow", archive(b"\x80\x02a."), "INPUT more values than there are"
    yield "no-target", archive(b"\x80\x02(u."), "INPUT more values than there are"
    yield "no-mark", archive(b"\x80\x02t."), "INPUT needs a mark"
    yield "no-memo", archive(b"\x80\x02h\x05."), "INPUT never put"
    yield "far-memo", archive(b"\x80\x02Nr\xff\xff\xff\xff."), "INPUT memo number"
    yield "odd-items", archive(b"\x80\x02}(K\x01u."), "INPUT key without an item"
    yield "no-opcode", archive(b"\x80\x02\xff."), "INPUT not an opcode"
    yield "not-text", archive(b"\x80\x02X\x02\0\0\0\xc3\x28."), "INPUT UTF-8"
    yield "long-text", archive(b"\x80\x02X\xff\xff\xff\xffabc."), "INPUT ends early"
    yield "long-frame", archive(b"\x80\x04\x95" + b"\xff" * 8 + b"N."), "INPUT a frame of"
    yield "copies", archive(b"\x80\x02](" + b"K\x01" * 1000 + b"eq\x00" + b"cbuiltins\nlist\nq\x01(" +
                            b"h\x01h\x00\x85R" * 1000 + b"t."), "INPUT more data than its size warrants"


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    cases = [(n, b, describe(v)) for n, b, v in good()]
    cases += [(n, b, "= " + describe(v)) for n, b, v in listed()]
    cases += [(n, b, "! " + words) for n, b, words in bad()]
    cases += [("bomb", bomb(40), "= ! INPUT unfold"), ("deep-tensor", bomb(66), "= ! INPUT nested deeper than 64"),
              ("same-names", saved({"a": {"b": torch.ones(1)}, "a.b": torch.ones(1)}), "= ! INPUT two tensors are named a.b")]
    for name, data, expected in cases:
        with open(os.path.join(folder, name + ".pt"), "wb") as f:
            f.write(data)
        with open(os.path.join(folder, name + ".txt"), "w") as f:
            f.write(expected + "\n")
    for name, data, value in [*good()]:
        if not name.startswith(("hand-v3",)):
            back = torch.load(io.BytesIO(data))
            assert describe(back) == describe(value), name
    print(f"{len(cases)} files in {folder}, made with PyTorch {torch.__version__}")


if __name__ == "__main__":
    main()
