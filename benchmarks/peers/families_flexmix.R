# EM by flexmix, a driver for each family. Told and timed as families_task.py says.

here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
source(file.path(here, "families_task.R"))
skip_without("flexmix")
if (family == "mixed") skip_without("mvtnorm") # which flexmix only suggests
suppressPackageStartupMessages(library(flexmix))

# flexmix divides the sums of squares as for an unbiased variance; maximum likelihood by the sum of
# the weights. Of the two, cov.wt knows either.
maximum_likelihood <- function(driver) {
  environment(driver@fit)$cov.wt <- function(...) stats::cov.wt(..., method = "ML")
  driver
}
driver <- switch(family,
  "poisson" = FLXMCmvpois(),
  "binary" = FLXMCmvbinary(),
  "mixed" = maximum_likelihood(FLXMCmvcombi()),
  "weights by group" = maximum_likelihood(FLXMCnorm1()))
data <- list(x = x)
weights <- FLXPconstant()
if (groups > 0) {
  data$group <- factor(as.integer(floats("group", n)))
  weights <- FLXPmultinom(~ group)
}
r <- matrix(floats("r", n * k), n, k, byrow = TRUE)

run <- function(iterations) {
  fit <- flexmix(x ~ 1, data = data, cluster = r, model = driver, concomitant = weights,
                 control = list(iter.max = iterations, tolerance = 0, minprior = 0))
  if (fit@iter != iterations) stop(paste(fit@iter, "iterations were run, not", iterations))
  fit
}

parameter <- function(fit, name) sapply(fit@components, function(c) c[[1]]@parameters[[name]])
# The weights that the last iteration took are those that the one before it would go on with.
end <- run(last)
before <- run(last - 1)
if (groups > 0) {
  w <- before@concomitant@fit(before@concomitant@x, before@posterior$scaled)
  put("w", t(w[match(levels(data$group), data$group), ]))
} else put("w", before@prior)
if (family == "poisson") put("rate", parameter(end, "lambda"))
if (family == "binary") put("p", parameter(end, "center"))
if (family == "mixed") {
  centre <- parameter(end, "center")
  normal <- seq_len(nrow(centre) %/% 3)
  put("mu", centre[normal, ])
  put("sigma", sqrt(parameter(end, "var")))
  put("p", centre[-normal, ])
}
if (family == "weights by group") {
  put("mu", parameter(end, "mean"))
  put("sigma", parameter(end, "sd"))
}
measure(run, first, last, repeats, packageVersion("flexmix"))
