#!/usr/bin/env python3
"""make.py DIR: writes the small checkpoints of tests/golden/convert.

Needs PyTorch. Each file is a DALLE-pytorch style checkpoint of the least sizes that are possible, with one thing about it
that `atelier convert` must understand or refuse by name; tests/unit/checkpoint.c says which.
"""
import sys
import types
from pathlib import Path

import torch

VAE = dict(image_size=4, num_layers=1, num_tokens=5, codebook_dim=2, hidden_dim=2, num_resnet_blocks=1)
HPARAMS = dict(
    num_text_tokens=3, text_seq_len=2, dim=4, depth=2, heads=1, dim_head=6, reversible=False, loss_img_weight=7,
    attn_types=("full",), ff_dropout=0.0, attn_dropout=0.0, stable=False, shift_tokens=False, rotary_emb=False,
    shared_attn_ids=None, shared_ff_ids=None, share_input_output_emb=False)


def numbers(*shape):
    n = 1
    for size in shape:
        n *= size
    return (torch.arange(n, dtype=torch.float32).reshape(shape) - n / 2) / 64


def conv(weights, prefix, first, second, kernel, out):
    weights[prefix + ".weight"] = numbers(first, second, kernel, kernel)
    weights[prefix + ".bias"] = numbers(out)


def vae_weights(channels=3):
    hidden, width, tokens = VAE["hidden_dim"], VAE["codebook_dim"], VAE["num_tokens"]
    weights = {"codebook.weight": numbers(tokens, width)}
    conv(weights, "encoder.0.0", hidden, channels, 4, hidden)
    for half, index in (("encoder", 1), ("decoder", 1)):
        for place, kernel in ((0, 3), (2, 3), (4, 1)):
            conv(weights, f"{half}.{index}.net.{place}", hidden, hidden, kernel, hidden)
    conv(weights, "encoder.2", tokens, hidden, 1, tokens)
    conv(weights, "decoder.0", hidden, width, 1, hidden)
    conv(weights, "decoder.2.0", hidden, hidden, 4, hidden)
    conv(weights, "decoder.3", channels, hidden, 1, channels)
    return weights


def dalle_weights(attention=".fn.fn.fn", feed_forward=".fn.fn", rotary=None):
    width, inner, text, codes = 4, 6, 3 + 2, 5
    weights = {"text_emb.weight": numbers(text, width), "image_emb.weight": numbers(codes, width)}
    if rotary is None:
        weights["text_pos_emb.weight"] = numbers(3, width)
        weights["image_pos_emb.weights.0"] = numbers(1, 2, 1, width)
        weights["image_pos_emb.weights.1"] = numbers(1, 1, 2, width)
    else:
        weights["transformer.pos_emb"] = numbers(*rotary)
    for layer in range(2):
        for sublayer in range(2):
            prefix = f"transformer.layers.layers.{layer}.{sublayer}"
            weights[prefix + ".scale"] = numbers(1, 1, width)
            weights[prefix + ".fn.norm.weight"] = numbers(width)
            weights[prefix + ".fn.norm.bias"] = numbers(width)
        prefix = f"transformer.layers.layers.{layer}.0{attention}"
        weights[prefix + ".to_qkv.weight"] = numbers(3 * inner, width)
        weights[prefix + ".to_out.0.weight"] = numbers(width, inner)
        weights[prefix + ".to_out.0.bias"] = numbers(width)
        prefix = f"transformer.layers.layers.{layer}.1{feed_forward}"
        weights[prefix + ".net.0.weight"] = numbers(8 * width, width)
        weights[prefix + ".net.0.bias"] = numbers(8 * width)
        weights[prefix + ".net.3.weight"] = numbers(width, 4 * width)
        weights[prefix + ".net.3.bias"] = numbers(width)
    weights["to_logits.0.weight"], weights["to_logits.0.bias"] = numbers(width), numbers(width)
    weights["to_logits.1.weight"], weights["to_logits.1.bias"] = numbers(text + codes, width), numbers(text + codes)
    weights.update({"vae." + name: tensor for name, tensor in vae_weights().items()})
    return weights


def dalle(weights, version="1.6.6", vae_class="DiscreteVAE", without=(), **hparams):
    kept = {name: value for name, value in {**HPARAMS, **hparams}.items() if name not in without}
    made = dict(hparams=kept, vae_params=dict(VAE), epoch=1, weights=weights, opt_state={"state": {}})
    if version is not None:
        made.update(version=version, vae_class_name=vae_class)
    return made


def changed(name, tensor):
    weights = dalle_weights()
    if tensor is None:
        del weights[name]
    else:
        weights[name] = tensor
    return weights


def with_nan(name, index):
    weights = dalle_weights()
    weights[name].view(-1)[index] = float("nan")
    return weights


def foreign_object():
    """What OpenAI's dVAE files are: a pickled module of a package of theirs."""
    module = types.ModuleType("dall_e.encoder")
    sys.modules["dall_e"], sys.modules["dall_e.encoder"] = types.ModuleType("dall_e"), module
    module.Encoder = type("Encoder", (torch.nn.Module,), {"__module__": "dall_e.encoder"})
    made = module.Encoder()
    made.w = torch.nn.Parameter(numbers(2))
    return made


def main(folder):
    qkv = "transformer.layers.layers.1.0.fn.fn.fn.to_qkv.weight"
    no_vae = dalle({"text_emb.weight": numbers(5, 4), "vae.model.quantize.embedding.weight": numbers(2, 2)},
                   vae_class="VQGanVAE")
    no_vae["vae_params"] = None
    old_no_vae = dalle({"vae.enc.blocks.input.w": numbers(2, 2)}, version=None)
    old_no_vae["vae_params"] = None
    files = {
        "good": dalle(dalle_weights()),
        "old": dalle(dalle_weights(feed_forward=".fn.fn.fn"), version=None, without=("shift_tokens", "rotary_emb")),
        "vae": dict(hparams=dict(VAE, channels=4), weights=vae_weights(4)),
        "vqgan-inside": no_vae,
        "openai-inside": old_no_vae,
        "openai": foreign_object(),
        "vqgan": dict(state_dict={"quantize.embedding.weight": numbers(2, 2)}),
        "deepspeed": dalle("In order to load your model, use zero_to_fp32.py"),
        "sparse": dalle(dalle_weights(), attn_types=("full", "sparse")),
        "conv-old": dalle(dalle_weights(), version="1.4.2", attn_types=("conv_like",)),
        "rotary-old": dalle(dalle_weights(rotary=(1, 1, 6, 6)), version="1.1.1", rotary_emb=True),
        "option": dalle(dalle_weights(), mixture_of_experts=4),
        "nan": dalle(with_nan(qkv, 7)),
        "missing": dalle(changed(qkv, None)),
        "misshapen": dalle(changed(qkv, numbers(4, 18))),
        "extra": dalle(changed("transformer.layers.layers.0.0.fn.norm_out.weight", numbers(4))),
        "integer": dalle(changed("to_logits.0.bias", torch.zeros(4, dtype=torch.int64))),
    }
    for name, content in files.items():
        # the older form of file is a third of the size; "good" has the newer
        torch.save(content, folder / f"{name}.pt", _use_new_zipfile_serialization=name == "good")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
