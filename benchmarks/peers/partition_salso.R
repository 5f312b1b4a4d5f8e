# SALSO by its authors' package salso, told and timed as partition_task.py says.

said <- commandArgs(trailingOnly = TRUE)
if (!requireNamespace("salso", quietly = TRUE)) {
  cat('{"skipped": "R has no package salso"}\n')
  quit()
}
folder <- said[1]
losses <- list(vi = "VI", vi_lower_bound = "VI.lb", binder = "binder", omari = "omARI",
               omari_approximate = "omARI.approx")
draws <- as.integer(said[3]); rows <- as.integer(said[4]); restarts <- as.integer(said[6])
z <- matrix(readBin(file.path(folder, "z.bin"), "integer", draws * rows), draws, rows,
            byrow = TRUE)
set.seed(1)
seconds <- system.time(
  c <- salso::salso(z, loss = losses[[said[2]]], nRuns = restarts, nCores = 1)
)
writeBin(as.integer(c), file.path(folder, "c.bin"))
cat(sprintf('{"wall_seconds": %.6f, "cpu_seconds": %.6f}\n', seconds[["elapsed"]],
            seconds[["user.self"]] + seconds[["sys.self"]]))
