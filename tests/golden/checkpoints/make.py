#!/usr/bin/env python3
"""Writes tests/golden/checkpoints: the smallest checkpoints that atelier reads, seeds of tests/fuzz/checkpoint.c.

    tests/golden/checkpoints/make.py tests/golden/checkpoints

Keys and shapes are DALLE-pytorch's and OpenAI CLIP's; the numbers mean nothing. Legacy files have no checksums.
"""
import os
import sys

import torch

VAE = dict(image_size=4, num_layers=1, num_tokens=5, codebook_dim=3, hidden_dim=2, num_resnet_blocks=1)
DALLE = dict(num_text_tokens=3, text_seq_len=2, dim=4, depth=2, heads=1, dim_head=2, reversible=False, loss_img_weight=7,
             attn_types=("full", "axial_row"), ff_dropout=0.0, attn_dropout=0.0, stable=True, shift_tokens=True,
             rotary_emb=False, shared_attn_ids=("a", "b"), shared_ff_ids=None, share_input_output_emb=False)


def filled(shapes):
    return {name: torch.linspace(-1, 1, max(1, torch.Size(shape).numel())).reshape(shape)
            for name, shape in shapes.items()}


def with_bias(name, *shape, out=None):
    return {name + ".weight": shape, name + ".bias": (out or shape[0],)}


def vae_shapes():
    c, h, t = VAE["codebook_dim"], VAE["hidden_dim"], VAE["num_tokens"]
    shapes = {"codebook.weight": (t, c)}
    block = [(0, 3), (2, 3), (4, 1)]
    for tower, at in ("encoder", 1), ("decoder", 1):
        for place, k in block:
            shapes |= with_bias(f"{tower}.{at}.net.{place}", h, h, k, k)
    shapes |= with_bias("encoder.0.0", h, 3, 4, 4) | with_bias("encoder.2", t, h, 1, 1)
    shapes |= with_bias("decoder.0", h, c, 1, 1) | with_bias("decoder.2.0", h, h, 4, 4) | with_bias("decoder.3", 3, h, 1, 1)
    return shapes


def dalle_shapes():
    d, inner, side = DALLE["dim"], DALLE["heads"] * DALLE["dim_head"], 2
    v_text = DALLE["num_text_tokens"] + DALLE["text_seq_len"]
    v = v_text + VAE["num_tokens"]
    shapes = {"text_emb.weight": (v_text, d), "image_emb.weight": (VAE["num_tokens"], d),
              "text_pos_emb.weight": (DALLE["text_seq_len"] + 1, d),
              "image_pos_emb.weights_0": (1, side, 1, d), "image_pos_emb.weights_1": (1, 1, side, d)}
    for i in range(DALLE["depth"]):
        a, f = f"transformer.layers.layers.{i}.0", f"transformer.layers.layers.{i}.1"
        shapes |= {a + ".scale": (1, 1, d), f + ".scale": (1, 1, d)}
        shapes |= with_bias(a + ".fn.norm", d) | with_bias(f + ".fn.norm", d)
        shapes |= {a + ".fn.fn.fn.fn.fn.to_qkv.weight": (3 * inner, d)}
        shapes |= with_bias(a + ".fn.fn.fn.fn.fn.to_out.0", d, inner)
        shapes |= with_bias(f + ".fn.fn.fn.fn.net.0", 8 * d, d) | with_bias(f + ".fn.fn.fn.fn.net.3", d, 4 * d)
    shapes |= with_bias("to_logits.0", d) | with_bias("to_logits.1", v, d)
    return shapes | {"vae." + k: s for k, s in vae_shapes().items()}


def clip():
    """Widths are multiples of 64: every tensor is one number, expanded."""
    w = 64
    shapes = {"positional_embedding": (4, w), "text_projection": (w, 8), "logit_scale": (), "token_embedding.weight": (6, w),
              "visual.class_embedding": (w,), "visual.positional_embedding": (5, w), "visual.proj": (w, 8),
              "visual.conv1.weight": (w, 3, 2, 2)}
    for name in "ln_final", "visual.ln_pre", "visual.ln_post":
        shapes |= with_bias(name, w)
    for tower in "transformer", "visual.transformer":
        block = tower + ".resblocks.0"
        shapes |= {block + ".attn.in_proj_weight": (3 * w, w), block + ".attn.in_proj_bias": (3 * w,)}
        for name, shape in ("attn.out_proj", (w, w)), ("ln_1", (w,)), ("ln_2", (w,)), ("mlp.c_fc", (4 * w, w)), \
                ("mlp.c_proj", (w, 4 * w)):
            shapes |= with_bias(f"{block}.{name}", *shape)
    one = torch.full((1,), 0.5)
    return {name: one.expand(shape) if shape else one[0] for name, shape in shapes.items()}


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    dalle = {"hparams": DALLE, "vae_params": VAE, "epoch": 1, "version": "1.6.6", "vae_class_name": "DiscreteVAE",
             "weights": filled(dalle_shapes()), "opt_state": None, "scheduler_state": None}
    for name, value in ("dalle", dalle), ("vae", {"hparams": VAE, "weights": filled(vae_shapes())}), ("clip", clip()):
        torch.save(value, os.path.join(folder, name + ".pt"), _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main()
