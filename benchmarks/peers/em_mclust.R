# EM by mclust's em(): Fortran, float64. Told and timed as em_task.py says.

said <- commandArgs(trailingOnly = TRUE)
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
source(file.path(here, "measure.R"))
skip_without("mclust")
suppressPackageStartupMessages(library(mclust))

folder <- said[1]
numbers <- as.integer(said[c(2, 3, 4, 6, 7, 8)])
n <- numbers[1]; d <- numbers[2]; k <- numbers[3]
first <- numbers[4]; last <- numbers[5]; repeats <- numbers[6]
full <- said[5] == "full"
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

end <- run(last)$parameters
put("w", end$pro)
put("mu", end$mean)
put("sigma", if (d == 1) end$variance$sigmasq else end$variance$sigma)
measure(run, first, last, repeats, packageVersion("mclust"))
