# Sourced by the scripts here: what a command prints is kept in the folder $KEPT, and is not made twice.

export PATH="$PWD/.venv/bin:$PATH"
mkdir -p "$WORK" "$KEPT"

# into FILE COMMAND...: run the command; keep what it prints, once it has ended well, and under it what made_on says,
# a function that a script may have.
into() {
  local file=$KEPT/$1
  shift
  [ -s "$file" ] && return
  "$@" >"$WORK/unfinished"
  ! declare -F made_on >/dev/null || made_on >>"$WORK/unfinished"
  mv "$WORK/unfinished" "$file"
}

# last_line_into FILE COMMAND...: the same with the last line alone, where those before it are a listing.
last_line_into() {
  local file=$KEPT/$1
  [ -s "$file" ] && return
  into "$@"
  tail -n 1 "$file" >"$WORK/unfinished"
  mv "$WORK/unfinished" "$file"
}
