// Writes NAME.cases.json beside each tokenizer.json of this folder: {"text", "ids", "decoded"} as the tokenizers package for
// JavaScript gives them. `npm install @huggingface/tokenizers@0.2.0` somewhere, then `node make.mjs` with NODE_PATH there.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
const require = createRequire(process.cwd() + "/");
const { Tokenizer } = require("@huggingface/tokenizers");

const texts = ["the quick brown fox", " leading space", "trailing space ", "two  spaces\tand\nnewlines \n\n x", "a photo of a cat",
  "It's 3 o'clock, isn't it? THEY'RE we've", "2021 12345 3.14159", "naïve café ångström", "красная лиса", "红色的狐狸 在 雪地里",
  "🦊 red fox ❤️", "½ ² ③ Ⅷ", "e\u0301 combining", "ﬁ ＡＢＣ", "abc<|endoftext|>the dog<mask> x", "New York and new york ``quoted``",
  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "!!!???...", "woman astronaut, dark skin tone", "", " ", "שלום", "\u00a0a\u3000b\u2003c"];
for (const name of ["bytes", "normalized", "clip", "characters"]) {
  const tokenizer = new Tokenizer(JSON.parse(readFileSync(`${name}.json`)), {});
  const cases = texts.map((text) => {
    const ids = tokenizer.encode(text, { add_special_tokens: false }).ids;
    return { text, ids, decoded: ids.length ? tokenizer.decode(ids, { skip_special_tokens: true, clean_up_tokenization_spaces: false }) : "" };
  });
  writeFileSync(`${name}.cases.json`, "[\n" + cases.map((c) => JSON.stringify(c)).join(",\n") + "\n]\n");
}
