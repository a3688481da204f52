#!/usr/bin/env python3
"""Make the fixture tests/golden/clip-resnet: a small random ResNet CLIP and what the reference computes with it.

    tests/golden/clip-resnet/make.py path/to/CLIP/clip/model.py tests/golden/clip-resnet

Needs PyTorch and a checkout of openai/CLIP, whose model class is run, not copied. Every bottleneck kind is there: with a
shortcut convolution, without, and halving. Running means and variances are far from 0 and 1, so that folding shows.
"""
import importlib.util
import json
import os
import struct
import sys

import torch

CONFIG = dict(embed_dim=24, image_resolution=64, vision_layers=(2, 1, 1, 1), vision_width=4, vision_patch_size=None,
              context_length=10, vocab_size=50, transformer_width=64, transformer_heads=1, transformer_layers=1)
DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.int32: "I32", torch.uint8: "U8", torch.int64: "I64"}


def save(path, tensors):
    """Write safetensors."""
    header, data = {}, b""
    for name, tensor in tensors.items():
        raw = tensor.detach().contiguous().numpy().tobytes()
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def spread(model):
    """Give every part of the random model a say in the result."""
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(torch.randn_like(buffer) * 0.3)
        elif name.endswith("running_var"):
            buffer.copy_(torch.rand_like(buffer) * 2 + 0.2)
    for name, parameter in model.named_parameters():
        if ".bn" in name or "downsample.1" in name:
            parameter.data = torch.randn_like(parameter) * 0.3 + (1.0 if name.endswith("weight") else 0.0)
        elif name.endswith("bias"):
            parameter.data = torch.randn_like(parameter) * 0.1
        elif ".conv" in name or "downsample.0" in name:
            parameter.data *= 2.5


def main(model_path, out):
    spec = importlib.util.spec_from_file_location("clip_model", model_path)
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    torch.manual_seed(7)
    model = reference.CLIP(**CONFIG).eval()
    with torch.no_grad():
        spread(model)
        # Weights as the published files hold them: halves. What is computed here is computed from the rounded ones.
        weights = {name: t.half() if t.is_floating_point() else t for name, t in model.state_dict().items()}
        model.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in weights.items()})
        size = CONFIG["image_resolution"]
        # Smooth pictures: of pure noise the pool would make the same features every time.
        images = torch.nn.functional.interpolate(torch.randn(3, 3, 5, 5) * 2, size=size, mode="bicubic")
        text = torch.zeros(4, CONFIG["context_length"], dtype=torch.int64)
        for i in range(4):
            length = 2 + 2 * i
            text[i, 0] = 48
            text[i, 1:length] = torch.randint(1, 48, (length - 1,))
            text[i, length] = 49
        image_features, text_features = model.encode_image(images), model.encode_text(text)
        image_features /= image_features.norm(dim=-1, keepdim=True)
        text_features /= text_features.norm(dim=-1, keepdim=True)
        scores = model.logit_scale.exp() * image_features @ text_features.T
    os.makedirs(out, exist_ok=True)
    weights.pop("visual.bn1.num_batches_tracked", None)
    save(os.path.join(out, "clip.safetensors"), weights)
    save(os.path.join(out, "in.safetensors"), {"clip_preprocessed": images, "clip_text": text.to(torch.int32)})
    save(os.path.join(out, "want.safetensors"),
         {"image_features": image_features, "text_features": text_features, "scores": scores})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
