#!/usr/bin/env python3
"""Writes the tokenizer.json files of this folder: byte-pair encodings trained on a few sentences, one file for each way such a
file can be set up. make.mjs then writes the expected ids."""
import collections
import json
import re

CORPUS = """the quick brown fox jumps over the lazy dog and the red fox sleeps in the snow
a photo of a cat on a mat, an armchair in the shape of an avocado, the word 'openai' written on it
it's they're we've i'm you'll he'd isn't 2021 12345 3.14159 woman astronaut, dark skin tone, red heart, grinning face
naïve café zürich ångström красная лиса 红色的狐狸 ½ ² ③""" * 2


def byte_codes():
    keep = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    rest = [b for b in range(256) if b not in keep]
    return {**{b: chr(b) for b in keep}, **{b: chr(256 + i) for i, b in enumerate(rest)}}


def train(words, n_merges):
    """words: list of tuples of symbols -> merges, by frequency, ties by text."""
    counts, merges = collections.Counter(words), []
    for _ in range(n_merges):
        pairs = collections.Counter()
        for word, n in counts.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += n
        if not pairs:
            break
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        joined = collections.Counter()
        for word, n in counts.items():
            out, i = [], 0
            while i < len(word):
                hit = word[i : i + 2] == best
                out.append(word[i] + word[i + 1] if hit else word[i])
                i += 2 if hit else 1
            joined[tuple(out)] += n
        counts = joined
    return merges


def save(name, symbols, merges, pairs_as_lists, model, **parts):
    texts = list(dict.fromkeys(symbols + [a + b for a, b in merges]))
    n = len(texts)
    added = parts.pop("added", [])
    tokens = [{"id": n + i, "single_word": False, "lstrip": False, "rstrip": False, **t} for i, t in enumerate(added)]
    root = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": None,
            "pre_tokenizer": None, "post_processor": None, "decoder": None, **parts,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, **model,
                      "vocab": {t: i for i, t in enumerate(texts)},
                      "merges": [list(m) if pairs_as_lists else " ".join(m) for m in merges]}}
    with open(name, "w") as f:
        json.dump(root, f, ensure_ascii=False, indent=0)
        f.write("\n")


codes = byte_codes()
spell = lambda word: tuple(codes[b] for b in word.encode())
alphabet = list(codes.values())
gpt2 = [spell(w) for w in re.findall(r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?[^\s\w]+|\s+", CORPUS)]
ended = lambda word: word[:-1] + (word[-1] + "</w>",)
clip = [ended(spell(w)) for w in re.findall(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|[^\s\w]+", CORPUS)]
chars = [ended(tuple(w)) for w in re.findall(r"\w+|[^\w\s]+", CORPUS)]
end = {"content": "<|endoftext|>", "normalized": False, "special": True}
level = lambda space, regex: {"type": "ByteLevel", "add_prefix_space": space, "trim_offsets": True, "use_regex": regex}

save("bytes.json", alphabet, train(gpt2, 150), False, {}, pre_tokenizer=level(False, True), decoder=level(True, True),
     added=[end, {"content": "<mask>", "normalized": False, "special": False}])
save("normalized.json", alphabet, train(gpt2, 150), True, {"ignore_merges": True}, pre_tokenizer=level(True, True),
     decoder=level(True, True), added=[end, {"content": "New York", "normalized": True, "special": False}],
     normalizer={"type": "Sequence", "normalizers": [
         {"type": "NFKC"}, {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "},
         {"type": "Replace", "pattern": {"String": "``"}, "content": "\""}, {"type": "Lowercase"},
         {"type": "Strip", "strip_left": True, "strip_right": True}]})
save("clip.json", alphabet + [c + "</w>" for c in alphabet], train(clip, 150), False, {"end_of_word_suffix": "</w>"},
     normalizer={"type": "Sequence", "normalizers": [
         {"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}, {"type": "Lowercase"}]},
     pre_tokenizer={"type": "Sequence", "pretokenizers": [
         {"type": "Split", "behavior": "Removed", "invert": True, "pattern": {"Regex":
          "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"}}, level(False, False)]},
     decoder=level(True, True), added=[{**end, "content": "<|startoftext|>"}, end])
letters = sorted(set("".join(CORPUS.split())))
save("characters.json", ["<unk>"] + letters + [c + "</w>" for c in letters], train(chars, 150), False,
     {"unk_token": "<unk>", "end_of_word_suffix": "</w>"}, pre_tokenizer={"type": "Sequence", "pretokenizers": [
         {"type": "WhitespaceSplit"}, {"type": "Digits", "individual_digits": True},
         {"type": "Split", "behavior": "Isolated", "invert": False, "pattern": {"String": ","}}]},
     normalizer={"type": "NFC"}, decoder={"type": "BPEDecoder", "suffix": "</w>"})
