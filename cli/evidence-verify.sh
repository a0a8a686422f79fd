#!/bin/sh
# Checks this folder by sha256sum (or shasum) alone: the files, each line of each chain, each block of facts, and the seals.
# Usage: sh verify.sh        Exit code 0: everything matches. What each check means stands in README.txt.
LC_ALL=C
export LC_ALL
cd "$(dirname "$0")" || exit 2
if command -v sha256sum > /dev/null; then sum() { sha256sum "$@"; }; else sum() { shasum -a 256 "$@"; }; fi
[ "$(printf '' | sum | cut -c1-8)" = e3b0c442 ] || { echo 'Neither sha256sum nor shasum is here.'; exit 2; }
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
bad=0
fault() { echo "FAULT: $1"; bad=1; }
hash_of() { printf '%s' "$1" | sum | cut -c1-64; }
nothing=$(hash_of '')

sum -c SHA256SUMS > "$work/files" 2> /dev/null || {
  fault 'a file is not the one that was exported'
  grep -v ': OK$' "$work/files"
}

for file in record/*.txt; do
  chain=$(basename "$file" .txt)
  before=$nothing
  place=0
  while IFS= read -r line; do
    hash=${line%% *}
    text=${line#* }
    rest=${text#* * }
    [ "$(hash_of "$text")" = "$hash" ] || fault "$chain ${rest%% *}: the line does not match its hash"
    if [ "$chain" = seals ] && [ "$place" = 0 ]; then place=$((${rest%% *} - 1)); before=${text%% *}; fi
    place=$((place + 1))
    if [ "$chain" != acts-of-drafts ]; then
      [ "${text%% *}" = "$before" ] || fault "$chain $place: it does not hold the hash of the line before"
      [ "${rest%% *}" = "$place" ] || fault "$chain $place: a line is missing or out of its place"
    fi
    before=$hash
  done < "$file"
  case $chain in
    seals | acts-of-drafts) ;;
    *) grep -qF "[\"$chain\",$place,\"$before\"]" record/seals.txt || fault "$chain: no seal names its end" ;;
  esac
done

# Nothing may be taken out as a whole: of this warning the seals name its acts and its facts, and each cell that sent has its chain.
number=$(sed -n 's/^  "warningId": \([0-9]*\),*$/\1/p' warning.json | head -n 1)
[ -e "record/acts-$number.txt" ] || fault "acts-$number: this chain is missing"
if grep -qF "[\"facts-$number\"," record/seals.txt; then
  [ -e "record/facts-$number.txt" ] || fault "facts-$number: this chain is missing"
fi
for cell in $(sed -n 's/.*"cell_id" *: *\([0-9]*\).*/\1/p' facts/deliveries.jsonl | sort -u); do
  [ -e "record/cell-$cell.txt" ] || fault "cell-$cell: this chain is missing"
done

for table in answers deliveries receipts; do
  from=1
  for facts in record/facts-*.txt; do
    [ -e "$facts" ] || continue
    sed -n 's/.*"table" : "'$table'".*"rows" : \([0-9]*\), "sha256" : "\([0-9a-f]*\)".*/\1 \2/p' "$facts" > "$work/blocks"
    while read -r rows hash; do
      to=$((from + rows - 1))
      [ "$(sed -n "${from},${to}p" facts/$table.jsonl | sum | cut -c1-64)" = "$hash" ] ||
        fault "$table, lines $from to $to: not the block that was sealed"
      from=$((to + 1))
    done < "$work/blocks"
  done
  [ "$(wc -l < facts/$table.jsonl)" -eq $((from - 1)) ] || fault "$table: lines that are in no block"
done

if [ "$bad" = 0 ]; then echo 'Everything matches. Now compare a seal with an anchor, as README.txt says.'; fi
exit "$bad"
