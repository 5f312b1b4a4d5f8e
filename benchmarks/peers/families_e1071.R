# EM by e1071's lca, which first counts how often each pattern of answers occurs: an iteration costs
# the number of possible patterns, 2^d, whatever n. Told and timed as families_task.py says.

here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
source(file.path(here, "families_task.R"))
skip_without("e1071")
suppressPackageStartupMessages(library(e1071))

w <- floats("w", k)
p <- matrix(floats("p", k * d), k, d, byrow = TRUE)
# It begins from random numbers alone: weights first, then probabilities.
lca <- e1071::lca
surroundings <- new.env(parent = environment(lca))
surroundings$runif <- function(count) if (count == k) w else as.vector(p)
environment(lca) <- surroundings
patterns <- countpattern(x)

run <- function(iterations) lca(patterns, k, niter = iterations)

end <- run(last)
put("w", end$classprob)
put("p", t(end$p))
measure(run, first, last, repeats, packageVersion("e1071"))
