# The last one to leave. Reads lines from the tool that started it: "first PID", "last PID" (a process to be ended, each
# the leader of its own group), "forget PID". When the pipe ends, because the tool did (also by SIGKILL), whatever was
# not forgotten is ended: the first ones, then the last ones. It runs in a session of its own, so no Ctrl-C reaches it.
trap '' INT TERM HUP
first='' last=''

without() { # list, pid
  kept=''
  for each in $1; do
    [ "$each" = "$2" ] || kept="$kept $each"
  done
  printf '%s' "$kept"
}

alive() { # list; a zombie is dead, whenever its new parent asks
  for each in $1; do
    if kill -0 "$each" 2>/dev/null; then
      case $(cat "/proc/$each/stat" 2>/dev/null) in
        *') Z '*) ;;
        *) return 0 ;;
      esac
    fi
  done
  return 1
}

end() { # list
  for each in $1; do
    kill -TERM "$each" 2>/dev/null
  done
  tenths=0
  while [ "$tenths" -lt 50 ] && alive "$1"; do
    sleep 0.1
    tenths=$((tenths + 1))
  done
  for each in $1; do
    kill -KILL "-$each" 2>/dev/null
  done
}

while read -r word pid; do
  case $word in
    first) first="$first $pid" ;;
    last) last="$last $pid" ;;
    forget) first=$(without "$first" "$pid") last=$(without "$last" "$pid") ;;
  esac
done
end "$first"
end "$last"
