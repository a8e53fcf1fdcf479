# Reads coverlet's cobertura files; prints the share of lines that tests ran, by room, and the lines that none ran with -v missed=1.
# A line counts as run when any suite has run it. Ends with 1 when a room has less than `least` percent.
match($0, /<package name="TrustixProxy\.[^"]*"/) { room = substr($0, RSTART + 28, RLENGTH - 29) }
match($0, /filename="[^"]*"/) { file = substr($0, RSTART + 10, RLENGTH - 11); sub(/^.*\//, "", file) }
match($0, /<line number="[0-9]+" hits="[0-9]+"/) {
  split($0, part, "\"")
  line = room "/" file ":" part[2]
  if (!(line in hits)) all[room]++
  if (part[4] > 0 && !hits[line]) run[room]++
  hits[line] += part[4]
}
END {
  if (missed) for (line in hits) if (!hits[line]) print line | "sort -V"
  close("sort -V")
  for (room in all) {
    share = 100 * run[room] / all[room]
    text = text sprintf("%s%s %.1f %%", text == "" ? "" : ", ", room, share)
    if (share < least) low = 1
  }
  print "line coverage of the pure rooms: " text (low ? "; at least " least " % is asked of each" : "")
  exit low
}
