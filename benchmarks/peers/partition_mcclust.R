# The greedy search of Wade and Ghahramani's mcclust.ext, told and timed as partition_task.py says.

said <- commandArgs(trailingOnly = TRUE)
if (!requireNamespace("mcclust.ext", quietly = TRUE)) {
  cat('{"skipped": "R has no package mcclust.ext"}\n')
  quit()
}
if (!(said[2] %in% c("vi_lower_bound", "binder"))) {
  cat('{"skipped": "mcclust.ext has no greedy search for this loss"}\n')
  quit()
}
suppressPackageStartupMessages(library(mcclust.ext))
folder <- said[1]
draws <- as.integer(said[3]); rows <- as.integer(said[4])
z <- matrix(readBin(file.path(folder, "z.bin"), "integer", draws * rows), draws, rows,
            byrow = TRUE)
seconds <- system.time({
  psm <- comp.psm(z)
  best <- if (said[2] == "binder") minbinder.ext(psm, method = "greedy")
          else minVI(psm, method = "greedy")
})
c <- if (is.matrix(best$cl)) best$cl[1, ] else best$cl
writeBin(as.integer(c), file.path(folder, "c.bin"))
cat(sprintf('{"wall_seconds": %.6f, "cpu_seconds": %.6f}\n', seconds[["elapsed"]],
            seconds[["user.self"]] + seconds[["sys.self"]]))
