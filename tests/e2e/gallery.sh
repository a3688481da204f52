#!/bin/bash
# TEST np=1
# index.html in a browser: filter, sort, limit of positions, minimum score and the large view, driven through the # of its
# address. Skipped without chromium.
build=${BUILD:-build/release}
n=0 failed=0

check() { # NAME, then a command that must succeed
  n=$((n + 1))
  if "${@:2}"; then echo "ok $n - $1"; else echo "not ok $n - $1"; failed=1; fi
}

browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
if [ -z "$browser" ]; then
  echo "ok 1 # SKIP no chromium to look at the gallery with"
  echo 1..1
  exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$build/tests/unit/gallery" "$folder" >/dev/null || { echo "Bail out! $build/tests/unit/gallery cannot make a gallery"; exit 1; }

# The document after its script has run, with STATE behind the #.
look() {
  timeout 60 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$folder/profile" --dump-dom \
    "file://$folder/index.html#$1" >"$folder/dom" 2>/dev/null
}
has() { grep -qF -- "$1" "$folder/dom"; }
lacks() { ! has "$1"; }
shows() { [ "$(grep -o '<span id="count"[^<]*' "$folder/dom" | sed 's/.*>//')" = "$1" ]; }
# Ids of the sections that are not hidden, in their order.
prompts() {
  [ "$(grep -o '<section [^>]*data-id="[^"]*"[^>]*' "$folder/dom" | grep -v hidden | sed 's/.*data-id="\([^"]*\)".*/\1/' |
    tr '\n' ' ')" = "$1" ]
}
# Scores of the pictures that are not hidden, in their order.
scores() {
  [ "$(grep -o '<figure [^>]*' "$folder/dom" | grep -v hidden | sed 's/.*data-score="\([^"]*\)".*/\1/' | cut -c 1-4 |
    tr '\n' ' ')" = "$1" ]
}

look ''
check "all pictures are shown" shows "12 pictures"
check "pictures are in the order of the prompts" prompts '1 &lt;b&gt;&amp; three '
check "a hostile prompt is shown as text" has '<h2 dir="auto">&lt;/script&gt;&lt;script&gt;document.title='
check "a hostile prompt does not run as a script" lacks '<title>broken'
check "the filter and sort controls are there" has '<form class="wide">'
check "the large view is closed at first" lacks '<dialog id="look" aria-labelledby="what" open'
look 'q=owl'
check "filtering by a word shows its 4 pictures" shows "4 of 12 pictures"
check "filtering by a word leaves only its prompt" prompts 'three '
look 'q=OWL%20snowy'
check "words are found in any order and case" prompts 'three '
look 'q=nothing'
check "a word of no prompt shows no picture" shows "0 of 12 pictures"
check "a word of no prompt shows a line that says so" has '<p id="none">'
look 'sort=best'
check "sorting by best puts the best prompt first" prompts '&lt;b&gt;&amp; 1 three '
look 'sort=flat&top=2'
check "the limit of positions keeps 2 pictures per prompt" shows "6 of 12 pictures"
check "the flat view sorts all pictures by score" scores '0.87 0.75 0.75 0.62 0.62 0.5 '
look 'min=0.75'
check "the minimum score hides pictures below it" shows "3 of 12 pictures"
look 'sort=flat&q=heart&top=1&open=1/rank-001.png'
check "the large view opens from the address" has '<dialog id="look" aria-labelledby="what" open'
check "the large view shows the prompt" has '<h2 id="what" dir="auto">a red heart</h2>'
check "the large view shows the prompt line that makes the picture again" has "printf '%s\\n' '{\"id\":\"1\",\"prompt\":\"a red heart\",\"seed\":7,\"samples\":9}' &gt; again.jsonl"
check "the large view shows the command with the run's own settings" has "atelier generate --model 'm \"x\"' --prompts again.jsonl --top 9 --out again"
look 'open=nothing/rank-001.png'
check "an address of a missing picture opens nothing" lacks '<dialog id="look" aria-labelledby="what" open'
echo 1..$n
exit $failed
