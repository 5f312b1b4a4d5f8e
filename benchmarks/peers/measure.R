# For peers in R: what em_task.measure is for those in Python. Sourced, not called.

skip_without <- function(package) {
  if (requireNamespace(package, quietly = TRUE)) return(invisible())
  cat(sprintf('{"skipped": "R has no package %s"}\n', package))
  quit()
}

# Python's files go row by row, R's arrays column by column: the last dimension comes first.
floats <- function(name, count) readBin(file.path(folder, paste0(name, ".bin")), "double", count)
put <- function(name, values)
  writeBin(as.double(values), file.path(folder, paste0("end_", name, ".bin")))

# Times run(iterations); gives the figures as JSON, and leaves θ to the caller.
measure <- function(run, first, last, repeats, version) {
  begun <- proc.time()
  run(first)
  warm <- (proc.time() - begun)[["elapsed"]]
  cpu <- wall <- once <- numeric(0)
  # R's clock ticks in milliseconds: several runs are timed as one where they are short.
  batch <- 1
  repeat {
    t <- system.time(for (i in seq_len(batch)) run(last))
    if (t[["elapsed"]] > 0.5 || batch >= 64) break
    batch <- batch * 2
  }
  begun <- proc.time()
  for (i in seq_len(repeats)) {
    if (i > 3 && (proc.time() - begun)[["elapsed"]] > 30) break
    a <- system.time(for (j in seq_len(batch)) run(first))
    b <- system.time(for (j in seq_len(batch)) run(last))
    cpu[i] <- (sum(b[1:2]) - sum(a[1:2])) / (last - first) / batch
    wall[i] <- (b[["elapsed"]] - a[["elapsed"]]) / (last - first) / batch
    once[i] <- sum(a[1:2]) / batch
  }
  list_of <- function(v) paste0("[", paste(sprintf("%.9g", v), collapse = ", "), "]")
  blas <- basename(extSoftVersion()[["BLAS"]])
  cat(sprintf(
    paste0('{"cpu_seconds": %.9g, "wall_seconds": %.9g, "cpu_all": %s, "wall_all": %s, ',
           '"first_run_wall_seconds": %.6g, "cpu_seconds_of_%d_iterations": %.6g, ',
           '"version": "%s, R %s, %s"}\n'),
    median(cpu), median(wall), list_of(cpu), list_of(wall), warm, first, median(once),
    version, getRversion(), blas))
}
