# Sourced by the scripts here: what a command prints is kept in the folder $KEPT, and is not made twice.

export PATH="$PWD/.venv/bin:$PATH"
mkdir -p "$WORK" "$KEPT"

# into FILE COMMAND...: run the command; keep what it prints, and $MADE_ON if there is one, once it has ended well.
into() {
  local file=$KEPT/$1
  shift
  [ -s "$file" ] && return
  "$@" >"$WORK/unfinished"
  [ -z "${MADE_ON:-}" ] || printf '\n%s\n' "$MADE_ON" >>"$WORK/unfinished"
  mv "$WORK/unfinished" "$file"
}
