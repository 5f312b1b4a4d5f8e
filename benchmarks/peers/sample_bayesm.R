# Gibbs by bayesm's rnmixGibbs, z explicit. Told and answering as sampling_task.py says.
#
# Its priors are conjugate, and set as near as they come to the others': w ~ Dirichlet(1, …, 1),
# mu_k ~ Normal(centre, Σ_k / A) and Σ_k ~ inverse Wishart(nu, V) with nu = d + 2. A and V take
# scale / k for the standard deviation within a component: with `scale` itself, a conjugate prior
# pulls Σ_k up by a posterior standard deviation at n = 1,000, where Gamma(2, 2 / scale) hardly does.
# Its chains begin at z = 1, 2, 3, 1, 2, 3, …; rows are put in the order in which most of them
# begin in the component that the start says, as the other peers begin there too.

said <- commandArgs(trailingOnly = TRUE)
if (!requireNamespace("bayesm", quietly = TRUE)) {
  cat('{"skipped": "R has no package bayesm"}\n')
  quit()
}
suppressPackageStartupMessages(library(bayesm))

folder <- said[1]
numbers <- as.integer(said[c(2, 3, 4, 6, 7, 8, 9)])
n <- numbers[1]; d <- numbers[2]; k <- numbers[3]
tune <- numbers[4]; draws <- numbers[5]; chains <- numbers[6]; seed <- numbers[7]
floats <- function(name, count) readBin(file.path(folder, paste0(name, ".bin")), "double", count)
x <- matrix(floats("x", n * d), n, d, byrow = TRUE)
w <- floats("w", k)
mu <- matrix(floats("mu", k * d), k, d, byrow = TRUE)
sigma <- array(floats("sigma", k * d * d), c(d, d, k))
centre <- floats("centre", d); spread <- floats("spread", d); scale <- floats("scale", d)

log_joint <- sapply(seq_len(k), function(j) {
  root <- chol(sigma[, , j, drop = TRUE])
  white <- backsolve(root, t(x) - mu[j, ], transpose = TRUE)
  log(w[j]) - sum(log(diag(as.matrix(root)))) - 0.5 * colSums(white^2)
})
own <- max.col(log_joint, ties.method = "first")
# Rows of component j take the places j, j + k, j + 2k, …; those left over fill the gaps.
order_of <- integer(n)
places <- lapply(seq_len(k), function(j) seq(j, n, by = k))
left <- integer(0); free <- integer(0)
for (j in seq_len(k)) {
  rows <- which(own == j)
  m <- min(length(rows), length(places[[j]]))
  order_of[places[[j]][seq_len(m)]] <- rows[seq_len(m)]
  left <- c(left, rows[-seq_len(m)])
  free <- c(free, places[[j]][-seq_len(m)])
}
order_of[free] <- left
y <- x[order_of, , drop = FALSE]

nu <- d + 2
within <- scale / k
prior <- list(ncomp = k, Mubar = matrix(centre, 1), A = matrix(mean((within / spread)^2)),
              nu = nu, V = nu * diag(within^2, d), a = rep(1, k))
clock <- function() proc.time()[1:3]
cpu <- wall <- 0
w_out <- array(0, c(k, draws, chains))
mu_out <- sd_out <- array(0, c(d, k, draws, chains))
for (chain in seq_len(chains)) {
  set.seed(seed + chain)
  before <- clock()
  capture.output(fit <- rnmixGibbs(Data = list(y = y), Prior = prior,
                                   Mcmc = list(R = tune + draws, keep = 1, nprint = 0)))
  spent <- clock() - before
  cpu <- cpu + spent[1] + spent[2]
  wall <- wall + spent[3]
  for (i in seq_len(draws)) {
    w_out[, i, chain] <- fit$nmix$probdraw[tune + i, ]
    for (j in seq_len(k)) {
      part <- fit$nmix$compdraw[[tune + i]][[j]]
      mu_out[, j, i, chain] <- part$mu
      root <- solve(part$rooti)  # Σ = rootᵀ root
      sd_out[, j, i, chain] <- sqrt(colSums(root^2))
    }
  }
}
put <- function(name, v) writeBin(as.vector(v), file.path(folder, paste0("end_", name, ".bin")))
put("w", w_out); put("mu", mu_out); put("sigma", sd_out)
# Every iteration costs the same, tuning or not.
drawing <- draws / (tune + draws)
cat(sprintf(
  paste0('{"cpu_compiling": 0, "wall_compiling": 0, "cpu_tuning": %.6g, "wall_tuning": %.6g, ',
         '"cpu_drawing": %.6g, "wall_drawing": %.6g, "version": "%s, R %s"}\n'),
  cpu * (1 - drawing), wall * (1 - drawing), cpu * drawing, wall * drawing,
  packageVersion("bayesm"), getRversion()))
