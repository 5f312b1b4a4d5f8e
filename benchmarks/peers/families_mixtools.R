# EM by mixtools' expRMM_EM, with no time censored. Told and timed as families_task.py says.

here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
source(file.path(here, "families_task.R"))
skip_without("mixtools")
suppressPackageStartupMessages(library(mixtools))

if (d != 1) {
  cat('{"skipped": "mixtools has exponential mixtures of one column"}\n')
  quit()
}
w <- floats("w", k)
rate <- floats("rate", k)

run <- function(iterations) {
  # It says how many iterations it took, and that they did not converge.
  capture.output(fit <- expRMM_EM(as.vector(x), lambda = w, rate = rate, epsilon = -1,
                                  maxit = iterations + 1))
  done <- length(fit$all.loglik)
  if (done != iterations) stop(paste(done, "iterations were run, not", iterations))
  fit
}

end <- run(last)
put("w", end$lambda)
put("rate", end$rate)
measure(run, first, last, repeats, packageVersion("mixtools"))
