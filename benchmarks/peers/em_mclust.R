# EM by mclust's em(): Fortran, float64. Told and timed as em_task.py says.

said <- commandArgs(trailingOnly = TRUE)
if (!requireNamespace("mclust", quietly = TRUE)) {
  cat('{"skipped": "R has no package mclust"}\n')
  quit()
}
suppressPackageStartupMessages(library(mclust))

folder <- said[1]
numbers <- as.integer(said[c(2, 3, 4, 6, 7, 8)])
n <- numbers[1]; d <- numbers[2]; k <- numbers[3]
first <- numbers[4]; last <- numbers[5]; repeats <- numbers[6]
full <- said[5] == "full"
# Python's files go row by row, R's arrays column by column.
floats <- function(name, count) readBin(file.path(folder, paste0(name, ".bin")), "double", count)
x <- floats("x", n * d)
if (d > 1) x <- matrix(x, n, d, byrow = TRUE)
w <- floats("w", k)
mu <- matrix(floats("mu", k * d), d, k)
sigma <- array(floats("sigma", k * d * d), c(d, d, k))

if (d == 1) {
  model <- "V"
  mu <- as.vector(mu)
  variance <- list(modelName = "V", d = 1, G = k, sigmasq = as.vector(sigma))
} else if (full) {
  model <- "VVV"
  variance <- list(modelName = "VVV", d = d, G = k, sigma = sigma,
                   cholsigma = array(apply(sigma, 3, chol), c(d, d, k)))
} else {
  model <- "VVI"
  variances <- apply(sigma, 3, diag)
  scale <- apply(variances, 2, function(v) exp(mean(log(v))))
  variance <- list(modelName = "VVI", d = d, G = k, scale = scale,
                   shape = sweep(variances, 2, scale, "/"))
}
start <- list(pro = w, mean = mu, variance = variance)

run <- function(iterations) {
  fit <- em(x, model, parameters = start, warn = FALSE,
            control = emControl(tol = c(0, 0), itmax = rep(iterations, 2)))
  done <- abs(attr(fit, "info")[["iterations"]])
  if (is.na(fit$loglik)) stop(paste("mclust gave up:", attr(fit, "WARNING")))
  if (done != iterations) stop(paste(done, "iterations were run, not", iterations))
  fit
}

begun <- proc.time()
run(first)
warm <- (proc.time() - begun)[["elapsed"]]
fit <- run(last)
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

put <- function(name, values) writeBin(as.vector(values), file.path(folder, paste0("end_", name, ".bin")))
end <- fit$parameters
put("w", as.double(end$pro))
put("mu", as.double(end$mean))
put("sigma", as.double(if (d == 1) end$variance$sigmasq else end$variance$sigma))

list_of <- function(v) paste0("[", paste(sprintf("%.9g", v), collapse = ", "), "]")
blas <- basename(extSoftVersion()[["BLAS"]])
cat(sprintf(
  paste0('{"cpu_seconds": %.9g, "wall_seconds": %.9g, "cpu_all": %s, "wall_all": %s, ',
         '"first_run_wall_seconds": %.6g, "cpu_seconds_of_%d_iterations": %.6g, ',
         '"version": "%s, R %s, %s"}\n'),
  median(cpu), median(wall), list_of(cpu), list_of(wall), warm, first, median(once),
  packageVersion("mclust"), getRversion(), blas))
